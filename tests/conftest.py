"""Fixtures that several files of tests use."""

import warnings
from pathlib import Path

import pytest

from tests.serving import browser, desktop, page, server  # noqa: F401
from tests.tiny import ROOT, draw_folder


@pytest.fixture(scope="session")
def heads() -> Path:
    """The real photos. They stay outside the project, so a clone elsewhere has none."""
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
