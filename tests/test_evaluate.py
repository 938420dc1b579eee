"""Evaluation and the benchmark on drawn dogs and tiny networks; the reference values on real photos."""

import json
import math
import subprocess
import sys

import pytest
import torch
from torch import nn
from torchmetrics.image.kid import KernelInceptionDistance

from model import load
from model.pixels import to_pixels
from model.pretrained import save, sha256
from tests.support.tiny import ROOT, TINY, TINY_PRESETS, draw_folder, some_latents, tiny_vae
from training.data.folder import load_splits
from training.evaluation import evaluate, measures
from training.evaluation.faces import Faces
from training.evaluation.measures import Reference, kernel_distance, laplacian_variance


@pytest.fixture(scope="module", autouse=True)
def few_pairs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "PAIRS", 10)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    draw_folder(folder / "train", 16, size=128)  # smaller ones are enlarged: no fine detail to compare
    draw_folder(folder / "val", 8, first=100, size=128)
    return folder


@pytest.fixture(scope="module")
def reference(data):
    return Reference(*load_splits(data, evaluate.SIZE))


def weights(folder, config=TINY, latents=True):
    vae = tiny_vae(config)
    vae.latents = some_latents(config.latent_dim) if latents else None
    save(vae, folder)
    return folder


def run(*arguments) -> None:
    evaluate.main([str(a) for a in arguments])


def test_a_perfect_reconstruction(reference):
    measured = reference.of_reconstructions(reference.real)
    assert measured["psnr"] == math.inf
    assert measured["perceptual"] == 0
    assert measured["ssim"] == pytest.approx(1, abs=1e-3)
    assert measured["sharpness"] == 1


def test_worse_pictures_measure_worse(reference):
    noise = torch.randn(reference.real.shape, generator=torch.Generator().manual_seed(0))
    little, much = ((reference.real + sd * noise).clamp(0, 255).byte() for sd in (5, 50))
    better, worse = reference.of_reconstructions(little), reference.of_reconstructions(much)
    assert better["psnr"] > worse["psnr"] and better["ssim"] > worse["ssim"]
    assert better["perceptual"] < worse["perceptual"] and better["kid_x1e3"] < worse["kid_x1e3"]
    assert better["psnr"] == pytest.approx(20 * math.log10(255 / 5), abs=1)


def test_memorisation_is_seen(reference):
    assert reference.of_samples(reference.train)["memorisation"] == 1
    assert reference.of_samples(reference.train.flip(3))["memorisation"] > 0.5, "a mirrored copy is a copy"
    assert reference.of_samples(reference.real)["memorisation"] <= 1 / 8
    assert torch.equal(reference.nearest(reference.train_features)[1], torch.arange(16))


def test_a_face_upside_down_is_not_whole():
    vae = load("weights/dogvae")
    dogs = to_pixels(vae.decode(vae.latents.sample(8, seed=0)))
    faces = Faces(dogs)
    assert faces.whole(dogs) >= 7 / 8
    assert faces.whole(dogs.flip(2)) <= 1 / 8


def test_one_dog_again_and_again_has_no_diversity(reference):
    measured = reference.of_samples(reference.real[:1].expand_as(reference.real))
    assert measured["diversity"] == 0
    assert reference.of_samples(reference.real)["diversity"] == 1


def test_sharpness_is_that_of_the_picture():
    flat = torch.full((1, 3, 128, 128), 90, dtype=torch.uint8)
    board = ((torch.arange(128)[:, None] + torch.arange(128)) % 2 * 255).byte().expand(1, 3, 128, 128)
    # If every neighbour differs by 255, the Laplacian is +-1020.
    assert laplacian_variance(torch.cat([flat, board])).tolist() == pytest.approx([0, 1020**2], rel=1e-3)


def features(count: int, seed: int, shift: float = 0.0):
    return torch.randn(count, 64, generator=torch.Generator().manual_seed(seed)) + shift


def test_kernel_distance_is_unbiased_and_sees_a_shift():
    real = features(300, 0)
    same, std = kernel_distance(real, features(300, 1))
    assert abs(same) < std
    assert kernel_distance(real, features(300, 1, shift=0.5))[0] > 10 * std


def test_kernel_distance_of_pairs_is_not_flattered():
    real = features(40, 0)
    assert kernel_distance(real, real)[0] < -0.05, "a set against itself seems closer than it can be"
    mean, std = kernel_distance(real, real, paired=True)
    assert abs(mean) < std / 2


def test_kernel_distance_is_that_of_torchmetrics():
    real, other = features(200, 0), features(200, 1, shift=0.3)
    metric = KernelInceptionDistance(feature=nn.Identity(), subsets=100, subset_size=100)
    metric.update(real, real=True)
    metric.update(other, real=False)
    mean, std = metric.compute()
    ours, our_std = kernel_distance(real, other)
    assert ours == pytest.approx(mean.item(), abs=std.item() / 2)
    assert our_std == pytest.approx(std.item(), rel=0.4)


def test_anchors_on_real_photos(heads, tmp_path):
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
        for photo in sorted((heads / name).iterdir())[::7][:48]:
            (tmp_path / name / photo.name).symlink_to(photo)
    anchors = Reference(*load_splits(tmp_path, evaluate.SIZE)).anchors(48)
    kid = {name: anchor["samples"]["kid_x1e3"] for name, anchor in anchors.items()}
    assert kid["real"] < 0.3 * kid["blurred"] < 0.3 * kid["mean"]
    assert anchors["real"]["samples"]["dog_rate"] > 0.8
    assert anchors["blurred"]["reconstructions"]["recall"] > 0.9  # the mean is equally near to all of them
    assert anchors["mean"]["reconstructions"]["recall"] < 0.1
    assert anchors["mean"]["samples"]["sharpness"] < 0.2  # the mean of heads framed by their eyes is a blurred dog
    assert anchors["blurred"]["samples"]["sharpness"] < 0.1 < 0.6 < anchors["real"]["samples"]["sharpness"] < 1.6
    perceptual = {name: anchors[name]["reconstructions"]["perceptual"] for name in ("blurred", "mean")}
    assert 0 < perceptual["blurred"] < perceptual["mean"]
    assert anchors["mean"]["samples"]["diversity"] == 0


def test_the_whole_command(data, tmp_path, capsys):
    folders = [weights(tmp_path / preset, config) for preset, config in TINY_PRESETS.items()]
    (folders[0] / "log.jsonl").write_text('{"images": 1000, "minutes": 1.5}\n{"images": 2000, "minutes": 3.0}\n')
    out, grids = tmp_path / "new" / "metrics.json", tmp_path / "grids"
    common = ["--data", data, "--samples", 8, "--write-metrics"]
    run("--weights", *folders, *common, "--json", out, "--grids", grids)
    result = json.loads(out.read_text())
    assert {"command", "judge", "data", "count", "kid", "torch", "threads", "anchors", "models"} == set(result)
    assert result["data"] | {"train": 16, "val": 8, "skipped": 0} == result["data"]
    assert set(result["anchors"]) == {"real", "blurred", "mean"}
    kid = {"kid_x1e3", "kid_std_x1e3", "sharpness", "dog_rate"}
    for model, folder, config in zip(result["models"], folders, TINY_PRESETS.values(), strict=True):
        assert (model["folder"], model["preset"]) == (str(folder), config.preset)
        assert model["sha256"] == sha256(folder / "model.safetensors")
        assert set(model["reconstructions"]) == kid | {"perceptual", "psnr", "ssim", "recall"}
        assert {p: set(t) for p, t in model["samples"].items()} == dict.fromkeys(("fitted", "normal"), {"1.0", "0.7"})
        for by_temperature in model["samples"].values():
            for measured in by_temperature.values():
                assert set(measured) == kid | {"diversity", "memorisation", "whole"}
                assert all(math.isfinite(value) for value in measured.values())
        assert 0 <= model["active_units"] <= config.latent_dim
        assert (model["kl_nats"] is None) == (not config.variational)
        own = json.loads((folder / "metrics.json").read_text())
        assert own["reconstructions"] == model["reconstructions"] and own["anchors"] == result["anchors"]
        assert (folder / "samples.webp").stat().st_size < 450_000
    assert [model["images"] for model in result["models"]] == [2000, *[None] * (len(folders) - 1)]
    assert len(list(grids.glob("*.png"))) == 2 * len(folders)
    printed = capsys.readouterr().out
    assert printed.count("\n| *blurred picture*") == 2 and all(str(folder) in printed for folder in folders)

    # A second evaluation without the training log gives the same numbers, and keeps the facts about the training.
    (folders[0] / "log.jsonl").unlink()
    run("--weights", folders[0], *common, "--json", out)
    assert json.loads(out.read_text())["models"] == result["models"][:1]


def test_dogs_that_came_nearer_are_measured_and_so_are_their_edits(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluate, "EDIT_DIRECTIONS", 2)
    out = tmp_path / "metrics.json"
    run("--weights", weights(tmp_path / "tiny"), "--data", data, "--samples", 8, "--nearer", 2, "--json", out)
    measured = json.loads(out.read_text())["models"][0]["nearer"]
    assert measured["steps"] == 2 and math.isfinite(measured["psnr"])
    assert all(math.isfinite(measured[name]["kid_x1e3"]) for name in ("edits", "edits_at_first"))
    printed = capsys.readouterr().out
    assert "nearer by 2 steps" in printed and "Edits of" in printed
    vae = tiny_vae(TINY)
    vae.latents = some_latents(TINY.latent_dim)
    z = vae.latents.sample(3)
    c, moved = vae.latents.coordinates(z), vae.latents.coordinates(evaluate.edited(vae, z)).view(3, 4, -1)
    torch.testing.assert_close(moved[:, 1] - c, 1.5 * torch.eye(16)[[1] * 3], atol=1e-4, rtol=0)
    torch.testing.assert_close(moved[:, 3] - c, -1.5 * torch.eye(16)[[1] * 3], atol=1e-4, rtol=0)


def test_what_is_known_of_other_weights_is_not_taken_over(tmp_path):
    (tmp_path / "metrics.json").write_text('{"sha256": "of others", "images": 7, "minutes": 7}')
    nothing = dict.fromkeys(("images", "pictures", "minutes", "device", "processes"))
    assert evaluate.training_facts(tmp_path, "ours") == nothing
    assert evaluate.training_facts(tmp_path, "of others") == nothing | {"images": 7, "minutes": 7}


@pytest.mark.parametrize("inside", ["weights", "weights/dogvae", "runs/../weights/grids"])
def test_photos_never_go_into_weights(inside, data, tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    with pytest.raises(SystemExit) as stop:
        run("--weights", tmp_path, "--data", data, "--json", tmp_path / "m.json", "--grids", tmp_path / inside)
    assert stop.value.code
    assert "can't lie inside weights/" in capsys.readouterr().err
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("no weights", "There is no folder"),
        ("no latents", "training.fit"),
        ("no config", "no config.json"),
        ("no data", "There is no folder"),
        ("no pictures", "holds no pictures"),
        ("few pictures", "at least 4"),
        ("nowhere to write", "could not be written"),
    ],
)
def test_bad_input_gets_one_sentence(what, says, data, tmp_path):
    folder, pictures, out = tmp_path / "run", tmp_path / "data", tmp_path / "metrics.json"
    if what == "no config":
        folder.mkdir()
    elif what != "no weights":
        weights(folder, latents=what != "no latents")
    if what == "no pictures":
        pictures.mkdir()
    elif what == "few pictures":
        draw_folder(pictures, 6)
    elif what != "no data":
        pictures = data
    if what == "nowhere to write":
        (tmp_path / "file").touch()
        out = tmp_path / "file" / "metrics.json"
    with pytest.raises(SystemExit) as stop:
        run("--weights", folder, "--data", pictures, "--json", out, "--samples", 8)
    assert says in stop.value.code and "\n" not in stop.value.code
    assert not out.exists()


def test_bench_measures_everything(tmp_path):
    command = "-m bench --presets small --times 2 --seconds 0 --json".split()
    done = subprocess.run(
        [sys.executable, *command, tmp_path / "bench.json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    result = json.loads((tmp_path / "bench.json").read_text())
    speed, step, peaks = result["inference"]["small"], result["training"]["small"], result["matmul_peak_gflops"]
    assert 0 < speed["decode"]["median_ms"] <= speed["decode"]["p95_ms"]
    assert step["images_per_second"] > 0 and step["gflop_per_image"] > 3 * speed["decode_gflop"] > 0
    peak = peaks["bfloat16" if step["precision"] == "bf16" else "float32"]
    assert step["share_of_peak"] == pytest.approx(step["gflop_per_second"] / peak, rel=1e-3)
    assert 0 < (result["photos"]["peak_mb_above_idle"] or 1) < 250
    assert 100 < result["resident_mb"]["small"] < 3000
    assert "| small | freshly initialised |" in done.stdout and f"torch {torch.__version__}" in done.stdout
