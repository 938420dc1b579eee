"""Naming directions."""

import pytest
import torch
from PIL import Image

from model import load
from model.pretrained import save
from tests.support.tiny import some_latents, tiny_vae
from training import name


@pytest.fixture
def weights(tmp_path):
    vae = tiny_vae()
    vae.latents = some_latents()
    save(vae, tmp_path)
    return tmp_path


def test_names_are_kept_and_nothing_else_changes(weights):
    before = load(weights).latents
    name.main(["--weights", str(weights), "2=ears: upright to hanging", "16= coat "])
    after = load(weights).latents
    assert after.names[1] == "ears: upright to hanging" and after.names[15] == "coat"
    assert after.names[0] == "direction 1"
    assert torch.equal(after.sample(3, seed=1), before.sample(3, seed=1))


def test_a_sheet_shows_what_a_direction_does(weights):
    name.main(["--weights", str(weights), "--sheets", str(weights / "sheets")])
    sheets = sorted((weights / "sheets").iterdir())
    assert len(sheets) == 16
    width, height = Image.open(sheets[0]).size
    assert width // 32 == name.STEPS and height // 32 == name.DOGS


@pytest.mark.parametrize("wrong", ["ears", "0=ears", "x=ears", "3=", "3=" + "a" * 41])
def test_names_that_are_none(weights, wrong, capsys):
    with pytest.raises(SystemExit):
        name.main(["--weights", str(weights), wrong])
    assert "is not NUMBER=NAME" in capsys.readouterr().err


def test_speaks_plainly(weights, tmp_path):
    for arguments, sentence in (
        (["--weights", str(weights), "17=ears"], "There is no direction 17"),
        (["--weights", str(tmp_path / "missing"), "1=ears"], "missing"),
    ):
        with pytest.raises(SystemExit) as caught:
            name.main(arguments)
        assert sentence in caught.value.code
