"""Starts training for tests: in this process, or in a separate one that can be killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny import ROOT
from training import train
from training.trainer import Trainer

IMAGES = 160


def arguments(out, data, *more, preset: str = "tiny", images: int | None = IMAGES) -> list[str]:
    length = [] if images is None else ["--images", images]
    fixed = ["--preset", preset, "--data", data, "--out", out, "--tick", 32, "--precision", "no"]
    return [str(a) for a in (*fixed, *length, *more)]


def phases(preset: str) -> list[str]:
    return ["--realism", "0.5"] if preset == "tiny" else []


def start(*args, module: str = "tests.support.tiny", **options) -> subprocess.Popen:
    command = [sys.executable, "-m", module, *args]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finished(process: subprocess.Popen) -> tuple[int, str]:
    """Waits for the run. Returns its exit status and stderr, which must not hold a traceback."""
    _, errors = process.communicate(timeout=600)
    assert "Traceback" not in errors, errors
    return process.returncode, errors


def fails(*args) -> str:
    """Runs training, which must fail. Returns its message, which must be one line."""
    with pytest.raises(SystemExit) as caught:
        train.main(list(args))
    text = caught.value.code
    assert isinstance(text, str) and "\n" not in text and text.endswith((".", ".)")), text
    return text


def make(out: Path, data: Path, *more, **named) -> Trainer:
    out.mkdir(exist_ok=True)
    return Trainer(train.parse(arguments(out, data, *more, **named)))
