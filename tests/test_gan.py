"""The GAN of the lesson: its training command, its files, its samples, and errors for damaged files."""

import json

import pytest
import torch

from model.classic import ClassicDecoder
from model.errors import PlainError
from model.gan import LATENT_DIM, SIZE, GanRun
from tests.support.tiny import drawn_batch
from training.gan import POINTS, STAGES, Pair, main


@pytest.fixture(scope="module")
def folder(drawn, tmp_path_factory):
    out = tmp_path_factory.mktemp("gan")
    main(["--data", str(drawn), "--out", str(out), "--images", "960"])
    return out


def test_each_network_learns_its_own_loss():
    pair, x = Pair(seed=0), drawn_batch(4, SIZE)
    before = [p.clone() for n in (pair.generator, pair.critic) for p in n.parameters()]
    generator_loss, critic_loss = pair.step(x, torch.randn(4, LATENT_DIM))
    after = [p for n in (pair.generator, pair.critic) for p in n.parameters()]
    assert sum(not torch.equal(a, b) for a, b in zip(before, after)) == len(after)
    assert 0 < generator_loss < 5 and 0 < critic_loss < 5, "untrained, neither knows anything"


def test_a_run_is_kept_at_four_moments(folder):
    run = GanRun.load(folder)
    assert [images for images, _ in run.stages] == [48, 192, 480, 960] and len(STAGES) == 4
    assert len(run.losses) == POINTS and run.losses[-1][0] == 960
    assert (folder / "model.safetensors").stat().st_size < 4_000_000
    drawn = run.draw(3, seed=5)
    assert all(x.shape == (3, 3, SIZE, SIZE) and x.abs().max() <= 1 for x in drawn)
    assert not torch.equal(drawn[0], drawn[3]), "it learned nothing"
    assert torch.equal(drawn[1][:2], run.draw(2, seed=5)[1]) and not torch.equal(drawn[1], run.draw(3, seed=6)[1])
    assert "python -m training.gan" in (folder / "README.md").read_text()


def test_a_damaged_run_is_refused_with_a_sentence(folder, tmp_path):
    run = GanRun.load(folder)
    run.save(tmp_path)
    told = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(told | {"stages": [1, 2, 3, 4, 5]}))
    with pytest.raises(PlainError, match="python -m training.gan"):
        GanRun.load(tmp_path)
    with pytest.raises(PlainError, match="python -m training.gan"):
        GanRun.load(tmp_path / "missing")


def test_the_generator_is_the_seeds_decoder(folder):
    assert isinstance(GanRun.load(folder).stages[0][1], ClassicDecoder)
