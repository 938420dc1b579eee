"""Training as people run it: whole runs, killed runs, and whatever else goes wrong."""

import json
import math
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image
from safetensors.torch import load_file, save_file

from model import PRESETS, load
from model.pretrained import read, save
from tests.tiny import ROOT, TINY_PRESETS, TINY_RECIPE, draw_folder, some_latents, tiny_vae
from training import fit, train
from training.checkpoint import NAME, read_facts
from training.run import RECIPES, Run, TrainingError, learning_rate, update_ema

IMAGES = 160


def arguments(out, data, *more, preset: str = "tiny", images: int | None = IMAGES) -> list[str]:
    length = [] if images is None else ["--images", images]
    fixed = ["--preset", preset, "--data", data, "--out", out, "--tick", 32, "--precision", "no"]
    return [str(a) for a in (*fixed, *length, *more)]


def phases(preset: str) -> list[str]:
    return ["--realism", "0.5"] if preset == "tiny" else []


def start(*args, module: str = "tests.tiny", **options) -> subprocess.Popen:
    command = [sys.executable, "-m", module, *args]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finished(process: subprocess.Popen) -> tuple[int, str]:
    """Exit status and stderr, in which no run may show a traceback."""
    _, errors = process.communicate(timeout=300)
    assert "Traceback" not in errors, errors
    return process.returncode, errors


def wait_for_checkpoint(out: Path, images: int, process: subprocess.Popen) -> None:
    while not (out / NAME).exists() or read_facts(out)["images"] < images:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole_runs(drawn, tmp_path_factory):
    """preset -> folder of a run that nobody interrupted; each is made once."""

    @lru_cache
    def make_whole(preset: str) -> Path:
        out = tmp_path_factory.mktemp("whole") / "run"
        status, errors = finished(start(*arguments(out, drawn, *phases(preset), preset=preset)))
        assert status == 0, errors
        return out

    return make_whole


@pytest.fixture(params=["tiny", "tiny-classic"])
def whole_run(request, whole_runs):
    """(preset, folder); "tiny" went through both phases."""
    return request.param, whole_runs(request.param)


def test_a_run_leaves_a_model_and_its_story(whole_run):
    preset, out = whole_run
    vae = load(out)
    assert vae.config == TINY_PRESETS[preset]
    assert vae.decode(vae.latents.sample(2)).isfinite().all()
    assert vae.latents.effect.diff().max() <= 0, "directions are ordered by effect"
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["images"] == IMAGES and all(math.isfinite(v) for v in lines[-1]["loss"].values())
    assert read_facts(out)["images"] == IMAGES
    for picture in (*(out / "grids").iterdir(), out / "loss.png"):
        Image.open(picture).load()
    assert len(list((out / "grids").glob("samples-*.png"))) == len(list((out / "grids").glob("reconstructions-*.png")))
    assert not list(out.rglob("*.part")) and not list(out.rglob(".tmp*"))


@pytest.mark.parametrize(
    "whole_run, kind, after",
    [
        ("tiny", signal.SIGKILL, (32, 64, 96)),
        ("tiny", signal.SIGTERM, (96,)),  # in the second phase
        ("tiny-classic", signal.SIGKILL, (32, 64, 96)),
    ],
    indirect=["whole_run"],
    ids=["killed", "asked to stop", "classic killed"],
)
def test_an_interrupted_run_ends_in_the_same_weights(whole_run, drawn, tmp_path, kind, after):
    preset, whole = whole_run
    args = arguments(tmp_path / "run", drawn, *phases(preset), preset=preset)
    process = start(*args)
    wait_for_checkpoint(tmp_path / "run", random.choice(after), process)
    time.sleep(0.05 * random.random())
    process.send_signal(kind)
    status, errors = finished(process)
    images = read_facts(tmp_path / "run")["images"]
    assert 0 < images < IMAGES, "it was over before the signal came"
    if kind == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status > 0 and f"Stopped at {images} images and saved" in errors.splitlines()[-1]
    if (tmp_path / "run" / "model.safetensors").exists():  # not when killed between the first checkpoint and it
        assert load(tmp_path / "run").config == TINY_PRESETS[preset]

    status, errors = finished(start(*args, "--resume"))
    assert status == 0, errors
    for name in ("model.safetensors", "latents.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), f"killed at {images}: {name}"
    ends = load_file(tmp_path / "run" / NAME), load_file(whole / NAME)
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[1])
    seen = [json.loads(line)["images"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert seen == sorted(set(seen)) and seen[-1] == IMAGES


# Within this process from here on: a start of Python costs more than what is tested.


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    """The tiny presets, and everything global that a run leaves changed put back."""
    handlers = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    for name, config in TINY_PRESETS.items():
        monkeypatch.setitem(PRESETS, name, config)
        monkeypatch.setitem(RECIPES, name, TINY_RECIPE)
    yield
    for name, handler in handlers.items():
        signal.signal(name, handler)
    AcceleratorState._reset_state(reset_partial_state=True)


def fails(*args) -> str:
    """The one plain sentence with which training ends."""
    with pytest.raises(SystemExit) as caught:
        train.main(list(args))
    text = caught.value.code
    assert isinstance(text, str) and "\n" not in text and text.endswith((".", ".)")), text
    return text


def usage(capsys, *args) -> str:
    """What argparse says of wrong arguments."""
    with pytest.raises(SystemExit) as caught:
        train.main(list(args))
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def make(out: Path, data: Path, *more, **named) -> Run:
    out.mkdir(exist_ok=True)
    return Run(train.parse(arguments(out, data, *more, **named)))


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
    for share in ("-0.1", "1.1", "nan"):
        assert "--realism" in usage(capsys, *arguments(tmp_path, drawn, "--realism", share))
    for minutes in ("0", "-1", "nan", "inf"):
        assert "above 0" in usage(capsys, *arguments(tmp_path, drawn, "--minutes", minutes, images=None))


def test_an_out_that_is_a_file(tmp_path, drawn):
    (tmp_path / "run").write_text("in the way")
    assert "File exists" in fails(*arguments(tmp_path / "run", drawn))


def test_resume_without_a_checkpoint(tmp_path, drawn):
    assert "to resume" in fails(*arguments(tmp_path, drawn, "--resume"))


def test_resume_of_another_config(whole_run, tmp_path, drawn):
    preset, out = whole_run
    shutil.copytree(out, tmp_path / "run")
    assert "another config" in fails(*arguments(tmp_path / "run", drawn, "--resume", preset="tiny-autoencoder"))


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff" * 64, None], ids=["empty", "text", "ones", "truncated"])
def test_resume_of_a_damaged_checkpoint(whole_run, tmp_path, drawn, content):
    preset, out = whole_run
    whole = (out / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert "damaged" in fails(*arguments(tmp_path, drawn, "--resume", preset=preset))


def test_resume_of_a_checkpoint_that_lacks_a_tensor(whole_run, tmp_path, drawn):
    preset, out = whole_run
    tensors, facts = load_file(out / NAME), read_facts(out)
    del tensors["model.decoder.stem.weight"]
    save_file(tensors, tmp_path / NAME, {"facts": json.dumps(facts)})
    assert "does not fit" in fails(*arguments(tmp_path, drawn, "--resume", preset=preset))


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


def snapshot(run: Run) -> dict[str, torch.Tensor]:
    modules, optimizers = run._state()
    tensors = {f"{m}.{k}": v.clone() for m, module in modules.items() for k, v in module.state_dict().items()}
    for o, optimizer in optimizers.items():
        for i, values in optimizer.state_dict()["state"].items():
            tensors |= {f"{o}.{i}.{k}": v.clone() for k, v in values.items()}
    return {k: v for k, v in tensors.items() if not k.endswith(("_u", "_v"))}  # spectral norm's, of weights alone


@pytest.fixture
def poison(monkeypatch):
    """poison(run, steps): these steps of a run, counted from 0, meet pictures that are not numbers."""

    def switch_on(run: Run, steps) -> None:
        batch = run.samples.batch

        def poisoned(start: int, count: int):
            x, eps = batch(start, count)
            return (x * math.nan if start // count in steps else x), eps

        monkeypatch.setattr(run.samples, "batch", poisoned)

    return switch_on


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
    run = make(tmp_path / "run", drawn)
    poison(run, {*range(1, 20), *range(21, 41)})  # 19, a good one, 20
    with pytest.raises(TrainingError, match="not finite 20 times in a row") as caught:
        train.train(make_endless(run))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
    assert run.images == 41 * 8 and run.skipped_steps == 39
    assert read_facts(tmp_path / "run")["images"] < run.images, "the last good checkpoint stays"
    assert all(value.isfinite().all() for value in load_file(tmp_path / "run" / NAME).values())


def make_endless(run: Run) -> Run:
    run.args.images = 10**6
    return run


@contextmanager
def files_at_most(size: int):
    """What a full disk looks like to a program: a write fails half way (Python ignores SIGXFSZ)."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_the_former_checkpoint(whole_run, tmp_path, drawn):
    preset, whole = whole_run
    shutil.copytree(whole, tmp_path / "run")
    with files_at_most(2_000_000):
        text = fails(*arguments(tmp_path / "run", drawn, "--resume", preset=preset, images=2 * IMAGES))
    assert "could not be written" in text and "too large" in text
    for name in (NAME, "model.safetensors", "config.json"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list((tmp_path / "run").rglob("*.part"))
    train.main(arguments(tmp_path / "run", drawn, "--resume", preset=preset, images=IMAGES + 8))
    assert read_facts(tmp_path / "run")["images"] == IMAGES + 8


def test_a_disk_too_full_for_pictures(tmp_path, drawn):
    with files_at_most(1_000):
        assert "can't go on" in fails(*arguments(tmp_path / "run", drawn))


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
    """One to train on, one held out: nothing divides by the number of pictures minus one."""
    train.main(arguments(tmp_path / "run", draw_folder(tmp_path / "data", 2), preset="tiny-autoencoder", images=8))
    assert load(tmp_path / "run").latents.kl.isfinite().all()


def test_a_new_run_in_an_old_folder_starts_its_log_anew(tmp_path, drawn):
    (tmp_path / "log.jsonl").write_text('{"images": 90000, "loss": {"l1": 1.0}}\n{"images": 3')
    train.main(arguments(tmp_path, drawn, images=8))
    assert [json.loads(line)["images"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [8]


def test_minutes(tmp_path, drawn):
    train.main(arguments(tmp_path / "run", drawn, "--minutes", 0.02, images=None))
    assert read_facts(tmp_path / "run")["minutes"] >= 0.02
    assert load(tmp_path / "run").latents is not None


def test_a_resumed_run_keeps_its_seed(tmp_path, drawn):
    train.main(arguments(tmp_path / "run", drawn, "--seed", 3, images=8))
    assert make(tmp_path / "run", drawn, "--resume", "--seed", 4).samples.seed == 3


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


def test_fit_replaces_the_latents(tmp_path, drawn, monkeypatch, capsys):
    vae = tiny_vae()
    vae.latents = some_latents()
    save(vae, tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    monkeypatch.setattr(sys, "argv", ["fit", "--weights", str(tmp_path), "--data", str(drawn)])
    fit.main()
    latents, loaded = some_latents(), load(tmp_path)
    assert not torch.equal(loaded.latents.mean, latents.mean)
    mu, _ = fit.encode_all(loaded, fit.load_splits(drawn, 32)[0])
    torch.testing.assert_close(loaded.latents.mean, mu.mean(0), atol=1e-5, rtol=1e-4)
    assert loaded.latents.effect.diff().max() <= 0 < loaded.latents.effect.max()
    assert "Fitted to 23 pictures" in capsys.readouterr().out
    assert (tmp_path / "model.safetensors").read_bytes() == weights


def test_fit_speaks_plainly(tmp_path, monkeypatch, drawn):
    for weights, data in ((tmp_path, drawn), (tmp_path / "tiny", tmp_path / "missing")):
        save(tiny_vae(), tmp_path / "tiny")
        monkeypatch.setattr(sys, "argv", ["fit", "--weights", str(weights), "--data", str(data)])
        with pytest.raises(SystemExit) as caught:
            fit.main()
        assert isinstance(caught.value.code, str) and "\n" not in caught.value.code
