"""Training in this process: its arguments and data, its steps, and numbers that are not finite."""

import json
import math
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from model import load
from model.pretrained import read, save
from tests.support.running import arguments, fails, finished, make, start
from tests.support.tiny import TINY_PRESETS, TINY_RECIPE, draw_folder, tiny_vae
from training import fit, train
from training.checkpoint import NAME, read_facts
from training.config import RECIPES, Recipe, TrainConfig, scaled
from training.phases import realism
from training.schedule import learning_rate, update_ema
from training.trainer import Trainer, TrainingError

pytestmark = pytest.mark.usefixtures("in_process")


def usage(capsys, *args) -> str:
    """The message of argparse for wrong arguments."""
    with pytest.raises(SystemExit) as caught:
        train.main(list(args))
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_the_command_itself_speaks_plainly(tmp_path):
    process = start(*arguments(tmp_path / "run", tmp_path / "missing", preset="classic"), module="training.train")
    status, errors = finished(process)
    assert status == 1 and errors.splitlines()[-1].startswith("There is no folder")


def test_data_that_is_none(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no pictures" in fails(*arguments(tmp_path / "run", tmp_path / "empty"))
    (tmp_path / "empty" / "page.jpg").write_text("<html>")
    assert "None of the 1 pictures" in fails(*arguments(tmp_path / "run", tmp_path / "empty"))
    assert not (tmp_path / "run" / NAME).exists()


def test_arguments_that_make_no_sense(tmp_path, drawn, capsys):
    assert "invalid choice: 'cat'" in usage(capsys, *arguments(tmp_path, drawn, preset="cat"))
    assert "above 0" in usage(capsys, *arguments(tmp_path, drawn, images=0))
    assert "above 0" in usage(capsys, *arguments(tmp_path, drawn, images=-5))
    assert "--seed" in usage(capsys, *arguments(tmp_path, drawn, "--seed", 2**60))
    for option in ("--out", "--aside", "--init-from"):  # Path("") would mean the current folder
        assert f"{option} names no folder" in usage(capsys, *arguments(tmp_path, drawn, option, " "))
    for share in ("-0.1", "1.1", "nan"):
        assert "--realism" in usage(capsys, *arguments(tmp_path, drawn, "--realism", share))
    for price in (-1, "inf", "nan"):
        assert "--kl" in usage(capsys, *arguments(tmp_path, drawn, "--kl", price))
    for minutes in ("0", "-1", "nan", "inf"):
        assert "above 0" in usage(capsys, *arguments(tmp_path, drawn, "--minutes", minutes, images=None))


def test_the_command_of_the_readme_trains_both_phases(tmp_path, drawn, monkeypatch):
    monkeypatch.setitem(RECIPES, "tiny", replace(TINY_RECIPE, realism_share=RECIPES["dogvae"].realism_share))
    train.main(arguments(tmp_path / "run", drawn, images=96))
    facts = read_facts(tmp_path / "run")
    assert facts["phase"] == "realism" and 0 < facts["phase_from"] < 96
    log = (tmp_path / "run" / "log.jsonl").read_text()
    assert "critic" in log.splitlines()[-1]


def test_every_learning_rate_grows_with_the_root_of_the_batch():
    one, four = TINY_RECIPE, scaled(TINY_RECIPE, 4 * TINY_RECIPE.batch)
    for rate in ("lr", "realism_lr", "critic_lr"):
        assert getattr(four, rate) == pytest.approx(2 * getattr(one, rate)), rate


def test_what_warms_up_takes_as_many_steps_with_another_batch():
    one, four = TINY_RECIPE, scaled(TINY_RECIPE, 4 * TINY_RECIPE.batch)
    for horizon in ("warmup", "kl_warmup", "realism_warmup", "critic_alone"):
        assert getattr(four, horizon) == 4 * getattr(one, horizon), horizon


def test_nothing_warms_up_for_longer_than_a_part_of_its_phase():
    recipe = TrainConfig(data="d", out="o", images=10_000, batch=512, realism=0.75).recipe()
    assert recipe.warmup == 250 and recipe.kl_warmup == 1250 and recipe.realism_warmup == 750
    long = TrainConfig(data="d", out="o", images=10_000_000, batch=16, realism=0.75).recipe()
    assert long.warmup == RECIPES["dogvae"].warmup and long.kl_warmup == RECIPES["dogvae"].kl_warmup


def test_a_resumed_run_keeps_its_batch(tmp_path, drawn):
    train.main(arguments(tmp_path / "run", drawn, "--batch", 16, images=32))
    assert make(tmp_path / "run", drawn, "--resume").batch == 16
    assert make(tmp_path / "run", drawn, "--resume", "--batch", 8).batch == 8


def test_heads_that_look_aside_are_learned_but_no_prior_is_fitted_to_them(tmp_path, drawn, monkeypatch):
    fitted, encode = [], realism.with_mirrored
    for module in (realism, fit):
        monkeypatch.setattr(module, "with_mirrored", lambda vae, some: fitted.append(len(some)) or encode(vae, some))
    aside = draw_folder(tmp_path / "aside", 5, first=90)
    run, out = make(tmp_path / "run", drawn, "--aside", aside, "--realism", 0.5, images=64), tmp_path / "run"
    once, known = run.samples.batch(0, 28, 0).x, run.train_pictures.floats(slice(23, 28))
    shown = torch.stack([(once == x).flatten(1).all(1) | (once.flip(3) == x).flatten(1).all(1) for x in known])
    assert len(run.train_pictures) == 28 and (shown.sum(1) == 1).all()
    run.train()
    assert fitted and set(fitted) == {23}
    assert json.loads((out / "log.jsonl").read_text().splitlines()[-1])["pictures"] == 28
    assert len(make(out, drawn, "--resume").train_pictures) == 28


def test_the_price_of_a_nat_is_kept_with_the_weights_and_by_a_resumed_run(tmp_path, drawn):
    paid = make(tmp_path / "paid", drawn, "--kl", 3, preset="tiny-classic")
    assert paid.recipe.kl == 3 and paid.ema.config.kl == 3 and paid.ema.config.variational
    paid.save()
    assert make(tmp_path / "paid", drawn, "--resume", preset="tiny-classic").recipe.kl == 3
    free = make(tmp_path / "free", drawn, "--kl", 0, preset="tiny-classic")
    assert not free.ema.config.variational and free.step().keys() == {"mse", "gradient"}


def test_weights_are_not_trained_over(tmp_path, drawn):
    save(tiny_vae(), tmp_path / "mine")
    before = (tmp_path / "mine" / "model.safetensors").read_bytes()
    text = fails(*arguments(tmp_path / "mine", drawn, "--init-from", tmp_path / "mine"))
    assert "would be lost" in text and (tmp_path / "mine" / "model.safetensors").read_bytes() == before


def test_an_out_that_is_a_file(tmp_path, drawn):
    (tmp_path / "run").write_text("in the way")
    assert "File exists" in fails(*arguments(tmp_path / "run", drawn))


def test_start_from_weights_that_do_not_fit(tmp_path, drawn):
    assert "There is no folder" in fails(*arguments(tmp_path / "run", drawn, "--init-from", tmp_path / "missing"))
    save(tiny_vae(TINY_PRESETS["tiny-classic"]), tmp_path / "classic")
    assert "another config" in fails(*arguments(tmp_path / "run", drawn, "--init-from", tmp_path / "classic"))


def test_start_from_weights(tmp_path, drawn):
    save(tiny_vae(seed=5), tmp_path / "weights")
    run = make(tmp_path / "run", drawn, "--init-from", tmp_path / "weights")
    expected = read(tmp_path / "weights").state_dict()
    for module in (run.vae, run.ema):
        assert all(torch.equal(value, expected[name]) for name, value in module.state_dict().items())
    assert run.step() is not None
    now = run.vae.state_dict()
    assert not torch.equal(now["decoder.stem.weight"], expected["decoder.stem.weight"])
    assert torch.equal(now["encoder.trunk.stem.weight"], expected["encoder.trunk.stem.weight"])


def test_a_preset_without_a_second_phase_says_so(tmp_path, drawn):
    assert "no second phase" in fails(*arguments(tmp_path, drawn, "--realism", 0.5, preset="tiny-classic"))


def test_half_precision_without_a_gpu(tmp_path, drawn):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert "needs a GPU" in fails(*arguments(tmp_path, drawn, "--precision", "fp16"))


def snapshot(run: Trainer) -> dict[str, torch.Tensor]:
    modules, optimizers = run._state()
    tensors = {f"{m}.{k}": v.clone() for m, module in modules.items() for k, v in module.state_dict().items()}
    for o, optimizer in optimizers.items():
        for i, values in optimizer.state_dict()["state"].items():
            tensors |= {f"{o}.{i}.{k}": v.clone() for k, v in values.items()}
    # Spectral norm's vectors are left out: they depend on the weights alone.
    return {k: v for k, v in tensors.items() if not k.endswith(("_u", "_v"))}


@pytest.fixture
def poison(monkeypatch):
    """poison(run, steps) puts NaN into the pictures of these steps of a run, counted from 0."""

    def switch_on(run: Trainer, steps) -> None:
        batch = run.samples.batch

        def poisoned(start: int, count: int, step: int):
            good = batch(start, count, step)
            return replace(good, x=good.x * math.nan) if start // count in steps else good

        monkeypatch.setattr(run.samples, "batch", poisoned)

    return switch_on


def test_a_new_critic_learns_alone_for_a_tenth_of_the_second_phase(tmp_path, drawn):
    run = make(tmp_path / "run", drawn, "--realism", "1")
    run.step()  # makes the critic
    moved = []
    for _ in range(2):  # up to 24 of 160 images
        networks = run.vae.decoder, run.phase.critic.networks["whole"].heads
        before = [[p.detach().clone() for p in network.parameters()] for network in networks]
        run.step()
        moved += [not all(map(torch.equal, network.parameters(), known)) for network, known in zip(networks, before)]
    assert moved == [False, True, True, True], "decoder, critic; decoder, critic"


@pytest.mark.parametrize("preset, more", [("tiny", []), ("tiny", ["--realism", "1"]), ("tiny-classic", [])])
def test_a_step_that_is_not_finite_changes_nothing(tmp_path, drawn, preset, more, poison):
    run = make(tmp_path / "run", drawn, *more, preset=preset)
    poison(run, {1})
    assert run.step() is not None
    before = snapshot(run)
    assert run.step() is None
    assert (run.skipped_steps, run.bad_in_a_row, run.images) == (1, 1, 16), "skipped, counted, its pictures are seen"
    for name, value in snapshot(run).items():
        assert torch.equal(value, before[name]), name
    assert run.step() is not None
    assert run.bad_in_a_row == 0
    assert all(value.isfinite().all() for value in snapshot(run).values())


def test_a_gradient_that_is_not_finite_is_skipped_too(tmp_path, drawn):
    run = make(tmp_path / "run", drawn)
    run.vae.decoder.to_rgb.weight.register_hook(lambda gradient: gradient / 0)
    before = snapshot(run)
    assert run.step() is None
    assert all(torch.equal(value, before[name]) for name, value in snapshot(run).items())


def test_19_bad_steps_pass_and_20_stop_the_run(tmp_path, drawn, poison):
    run = make(tmp_path / "run", drawn, images=10**6)
    poison(run, {*range(1, 20), *range(21, 41)})  # 19 bad steps, a good one, 20 bad ones
    with pytest.raises(TrainingError, match="not finite 20 times in a row") as caught:
        run.train()
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
    assert run.images == 41 * 8 and run.skipped_steps == 39
    assert read_facts(tmp_path / "run")["images"] < run.images, "the last good checkpoint stays"
    assert all(value.isfinite().all() for value in load_file(tmp_path / "run" / NAME).values())


def test_unreadable_pictures_are_named_at_the_end(tmp_path, capsys):
    data = tmp_path / "data"
    for split, first in (("train", 0), ("val", 8)):
        draw_folder(data / split, 8, first)
        (data / split / f"cut-{split}.jpg").write_bytes((data / split / f"dog{first:03d}.jpg").read_bytes()[:200])
    train.main(arguments(tmp_path / "run", data, images=8))
    errors = capsys.readouterr().err
    assert "2 pictures could not be read:" in errors
    assert "cut-train.jpg: " in errors and "cut-val.jpg: " in errors
    assert load(tmp_path / "run").latents is not None


def test_two_pictures_are_enough(tmp_path):
    """One is trained on, one is held out. Dividing by the number of pictures minus one would fail here."""
    train.main(arguments(tmp_path / "run", draw_folder(tmp_path / "data", 2), preset="tiny-autoencoder", images=8))
    assert load(tmp_path / "run").latents.kl.isfinite().all()


def test_minutes(tmp_path, drawn):
    train.main(arguments(tmp_path / "run", drawn, "--minutes", 0.02, images=None))
    assert read_facts(tmp_path / "run")["minutes"] >= 0.02
    assert load(tmp_path / "run").latents is not None


def test_learning_rate_follows_images_seen():
    rates = [learning_rate(2e-4, 32, images, 1000) for images in range(1001)]
    peak = max(range(1001), key=rates.__getitem__)
    assert 0 < rates[0] < 2e-5 and 20 < peak < 40 and rates[1000] == pytest.approx(0, abs=1e-12)
    assert all(a >= b for a, b in zip(rates[40:], rates[41:], strict=False))
    assert max(rates) == pytest.approx(2e-4, rel=0.01)


def test_the_average_follows_the_weights(tmp_path, drawn):
    ema, vae = tiny_vae(TINY_PRESETS["tiny-classic"]), tiny_vae(TINY_PRESETS["tiny-classic"], seed=1)
    start, goal = (m.decoder.stem.weight.detach().clone() for m in (ema, vae))
    vae.encoder.convs[1].running_mean += 3
    update_ema(ema, vae, halflife=800, images=100_000, batch=800)
    torch.testing.assert_close(ema.decoder.stem.weight, (start + goal) / 2)
    assert torch.equal(ema.encoder.convs[1].running_mean, vae.encoder.convs[1].running_mean)


def test_training_makes_the_loss_fall(tmp_path, drawn):
    run = make(tmp_path / "run", drawn, images=480)
    steps = [run.step() for _ in range(60)]
    first, last = (sum(step["perceptual"] for step in some) for some in (steps[:10], steps[-10:]))
    assert last < 0.9 * first


def test_a_run_is_not_overwritten(tmp_path, drawn):
    train.main(arguments(tmp_path / "run", drawn, images=8))
    before = (tmp_path / "run" / NAME).read_bytes()
    assert "holds a run" in fails(*arguments(tmp_path / "run", drawn, images=8))
    assert (tmp_path / "run" / NAME).read_bytes() == before


def test_the_example_trains_from_python(tmp_path, drawn):
    status, errors = finished(start(drawn, tmp_path / "run", "64", "small", module="examples.train"))
    assert status == 0, errors
    assert Image.open(tmp_path / "run" / "dog.png").size == (63, 63)


def test_a_run_inside_its_data_does_not_learn_its_own_grids(tmp_path):
    data = draw_folder(tmp_path / "data", 24)
    train.main(arguments(data / "run", data, images=32))
    assert list((data / "run" / "grids").glob("*.png"))
    run = make(data / "run", data, "--resume", images=40)
    assert len(run.train_pictures) + len(run.val) == 24 and run.skipped == []


def test_a_step_with_an_exploding_gradient_is_not_taken(tmp_path, drawn, monkeypatch):
    monkeypatch.setitem(RECIPES, "tiny", replace(TINY_RECIPE, skip=1e-6))
    run = make(tmp_path / "run", drawn)
    before = snapshot(run)
    assert run.step() is None and run.skipped_steps == 1
    assert all(torch.equal(value, before[name]) for name, value in snapshot(run).items())


def test_a_run_by_the_clock_warms_up_within_a_tenth_of_its_phase(tmp_path, drawn):
    recipe = Recipe(batch=8, lr=3e-3, betas=(0.9, 0.99), clip=3.0, warmup=5_000, kl_warmup=10_000, realism_share=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "tiny", recipe)
        run = make(tmp_path / "run", drawn, "--minutes", 1, images=None)
        run.images = 8
        run._foresee(4_000)
        assert (run.recipe.warmup, run.phase.recipe.kl_warmup) == (5_000, 10_000), "the first steps say little"
        run.images = 400
        run._foresee(4_000)
        assert (run.total, run.recipe.warmup, run.phase.recipe.kl_warmup) == (4_000, 200, 1_000)
        run._foresee(400_000)
        assert (run.recipe.warmup, run.phase.recipe.kl_warmup) == (5_000, 10_000)
