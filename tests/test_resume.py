"""Complete runs, killed runs, full disks, and wrong or damaged checkpoints."""

import json
import math
import random
import resource
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from model import load
from tests.support.running import IMAGES, arguments, fails, finished, make, phases, start
from tests.support.tiny import TINY_PRESETS
from training import train
from training.checkpoint import NAME, read_facts

pytestmark = pytest.mark.usefixtures("in_process")


def wait_for_checkpoint(out: Path, images: int, process: subprocess.Popen) -> None:
    while not (out / NAME).exists() or read_facts(out)["images"] < images:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def content(path: Path) -> tuple[dict[str, bytes], dict]:
    """A file's tensors, bit for bit, and its facts.

    safetensors writes the facts in an order that changes between runs, so whole files can't be compared.
    """
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key).numpy().tobytes() for key in file.keys()}, file.metadata()


@pytest.fixture(params=["tiny", "tiny-classic"])
def whole_run(request, whole_runs):
    """(preset, folder) of a complete run. "tiny" went through both phases."""
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
    if (tmp_path / "run" / "model.safetensors").exists():  # a kill may come before it is written
        assert load(tmp_path / "run").config == TINY_PRESETS[preset]

    status, errors = finished(start(*args, "--resume"))
    assert status == 0, errors
    for name in ("model.safetensors", "latents.safetensors"):
        assert content(tmp_path / "run" / name) == content(whole / name), f"killed at {images}: {name}"
    ends = load_file(tmp_path / "run" / NAME), load_file(whole / NAME)
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[1])
    seen = [json.loads(line)["images"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert seen == sorted(set(seen)) and seen[-1] == IMAGES


def test_resume_without_a_checkpoint(tmp_path, drawn):
    assert "to resume" in fails(*arguments(tmp_path, drawn, "--resume"))


def test_resume_of_another_config(whole_runs, tmp_path, drawn):
    out = whole_runs("tiny")
    shutil.copytree(out, tmp_path / "run")
    text = fails(*arguments(tmp_path / "run", drawn, "--resume", "--frame", "box", preset="tiny-autoencoder"))
    assert "another config; repeat --preset tiny --frame eyes, or train into another --out." in text


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff" * 64, None], ids=["empty", "text", "ones", "truncated"])
def test_resume_of_a_damaged_checkpoint(whole_runs, tmp_path, drawn, content):
    out = whole_runs("tiny")
    whole = (out / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert "damaged" in fails(*arguments(tmp_path, drawn, "--resume"))


def test_resume_of_a_checkpoint_that_lacks_a_tensor(whole_runs, tmp_path, drawn):
    out = whole_runs("tiny")
    tensors, facts = load_file(out / NAME), read_facts(out)
    del tensors["model.decoder.stem.weight"]
    save_file(tensors, tmp_path / NAME, {"facts": json.dumps(facts)})
    assert "does not fit" in fails(*arguments(tmp_path, drawn, "--resume"))


@contextmanager
def files_at_most(size: int):
    """Imitates a full disk: a write fails half way. (Python ignores SIGXFSZ, so it gets an error.)"""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_the_former_checkpoint(whole_runs, tmp_path, drawn):
    whole = whole_runs("tiny")
    shutil.copytree(whole, tmp_path / "run")
    with files_at_most(2_000_000):
        text = fails(*arguments(tmp_path / "run", drawn, "--resume", images=2 * IMAGES))
    assert "could not be written" in text and "too large" in text
    for name in (NAME, "model.safetensors", "config.json"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list((tmp_path / "run").rglob("*.part"))
    train.main(arguments(tmp_path / "run", drawn, "--resume", images=IMAGES + 8))
    assert read_facts(tmp_path / "run")["images"] == IMAGES + 8


def test_a_disk_too_full_for_pictures(tmp_path, drawn):
    with files_at_most(1_000):
        assert "can't go on" in fails(*arguments(tmp_path / "run", drawn))


def test_a_new_run_in_an_old_folder_starts_its_log_anew(tmp_path, drawn):
    (tmp_path / "log.jsonl").write_text('{"images": 90000, "loss": {"l1": 1.0}}\n{"images": 3')
    train.main(arguments(tmp_path, drawn, images=8))
    assert [json.loads(line)["images"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [8]


def test_a_resumed_run_keeps_its_seed(tmp_path, drawn):
    train.main(arguments(tmp_path / "run", drawn, "--seed", 3, images=8))
    assert make(tmp_path / "run", drawn, "--resume", "--seed", 4).samples.seed == 3
