"""Fixtures that several test files use."""

import warnings
from functools import lru_cache
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from PIL import Image

from model import PRESETS, DogFinder
from tests.support.hub_client import env, hub, loopback, pushed, run, weights  # noqa: F401
from tests.support.running import arguments, finished, phases, start
from tests.support.serving import browser, desktop, page, server  # noqa: F401
from tests.support.tiny import ROOT, TINY_PRESETS, TINY_RECIPE, draw_folder
from training.config import RECIPES


@pytest.fixture(scope="session")
def heads() -> Path:
    """The folder of real photos. It is not in the repository, so a clone elsewhere skips these tests."""
    folder = ROOT.parent / "shared" / "data" / "heads"
    if not (folder / "val").is_dir():
        reason = f"NOT TESTED ON REAL PHOTOS: there is no {folder}"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """A folder of 24 drawn dogs."""
    return draw_folder(tmp_path_factory.mktemp("data") / "dogs", 24)


@pytest.fixture
def in_process(monkeypatch):
    """Adds the tiny presets, and afterwards restores the global state that a run changes."""
    for name, config in TINY_PRESETS.items():
        monkeypatch.setitem(PRESETS, name, config)
        monkeypatch.setitem(RECIPES, name, TINY_RECIPE)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def whole_runs(drawn, tmp_path_factory):
    """preset -> folder of an uninterrupted run. Each is made once."""

    @lru_cache
    def make_whole(preset: str) -> Path:
        out = tmp_path_factory.mktemp("whole") / "run"
        status, errors = finished(start(*arguments(out, drawn, *phases(preset), preset=preset)))
        assert status == 0, errors
        return out

    return make_whole

@pytest.fixture(scope="module")
def finder():
    return DogFinder()


@pytest.fixture(scope="module")
def dog() -> Image.Image:
    """A dog that the model drew, small and off-centre."""
    photo = Image.new("RGB", (800, 500), (90, 130, 70))
    photo.paste(Image.open(ROOT / "assets" / "dog-5.png").convert("RGB").resize((220, 220)), (500, 200))
    return photo
