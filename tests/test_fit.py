"""Fitting the latents of trained weights again."""

import sys

import pytest
import torch

from model import load
from model.pretrained import save
from tests.support.tiny import some_latents, tiny_vae
from training import choosing, fit, flow


@pytest.mark.parametrize("enough", [False, True])
def test_fit_replaces_the_latents(enough, tmp_path, drawn, monkeypatch, capsys):
    if enough:
        monkeypatch.setattr(fit, "ENOUGH", 46)
        monkeypatch.setattr(flow, "STEPS", 20)
    vae = tiny_vae()
    vae.latents = some_latents()
    save(vae, tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    monkeypatch.setattr(sys, "argv", ["fit", "--weights", str(tmp_path), "--data", str(drawn)])
    fit.main()
    latents, loaded = some_latents(), load(tmp_path)
    assert not torch.equal(loaded.latents.mean, latents.mean)
    mu, _ = fit.with_mirrored(loaded, fit.load_splits(drawn, 32)[0])
    torch.testing.assert_close(loaded.latents.mean, mu.mean((0, 1)), atol=1e-5, rtol=1e-4)
    assert loaded.latents.effect.diff().max() <= 0 < loaded.latents.effect.max()
    said = capsys.readouterr().out
    assert "Fitted to 23 pictures" in said and "rank correlation" in said
    z = loaded.latents.sample(4, 0.5, seed=1)
    flows = {"flow"} if enough else set()
    assert set(loaded.latents.priors) == {"normal", "mixture", "chosen"} | flows and loaded.decode(z).isfinite().all()
    assert (tmp_path / "model.safetensors").read_bytes() == weights


def test_the_mixture_finds_the_kinds_of_dogs():
    generator = torch.Generator().manual_seed(0)
    kinds = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 4.0]])
    mu = kinds[torch.randint(3, (6000,), generator=generator)] + 0.3 * torch.randn(6000, 2, generator=generator)
    nearest = torch.cdist(fit.describe(mu, None).sample(3000), kinds).min(1)
    assert (nearest.values < 1.5).float().mean() > 0.97, "one Gaussian would draw what lies between the kinds"
    assert nearest.indices.bincount().min() > 800
    assert len(fit.describe(mu[:300], None).priors["mixture"].weights) == 1


def test_fit_speaks_plainly(tmp_path, monkeypatch, drawn):
    for weights, data in ((tmp_path, drawn), (tmp_path / "tiny", tmp_path / "missing")):
        save(tiny_vae(), tmp_path / "tiny")
        monkeypatch.setattr(sys, "argv", ["fit", "--weights", str(weights), "--data", str(data)])
        with pytest.raises(SystemExit) as caught:
            fit.main()
        assert isinstance(caught.value.code, str) and "\n" not in caught.value.code


def test_what_comes_out_well_can_be_foretold():
    generator = torch.Generator().manual_seed(0)
    c = torch.randn(4000, 32, generator=generator)
    truth = 3 - 0.5 * c[:, 4] - 0.2 * c[:, 7].square() + 0.3 * torch.randn(4000, generator=generator)
    slopes, bends, level = choosing.regress(c, truth)
    foretold = level + c @ slopes + (c.square() - 1) @ bends
    assert choosing.rank_correlation(foretold, truth) > 0.8
    assert (foretold - truth).mean().abs() < 0.05 and slopes.abs().argmax() == 4 and bends.abs().argmax() == 7
    assert choosing.rank_correlation(c[:, 0], c[:, 0]) == pytest.approx(1)
    assert choosing.rank_correlation(c[:, 0], -c[:, 0]) == pytest.approx(-1)


def test_odd_draws_are_rejected(monkeypatch):
    """This decoder draws smears if one number is above 1. No real dog has it there, but a Gaussian does.
    The fitted prior must avoid such draws."""
    monkeypatch.setattr(choosing, "USUAL", 0.75)
    vae = Smearing()
    mu = torch.randn(400, 16, generator=torch.Generator().manual_seed(0))
    mu[:, 2] = 0.8 * mu[:, 2].sign() + 0.05 * mu[:, 2]
    mixture = fit.describe(mu, None).priors["mixture"]
    chosen, foretold = choosing.fit_chosen(vae, mixture, mu, progress=False)
    before, after = (prior.draw(400, 1.0, 5)[:, 2] for prior in (mixture, chosen))
    assert foretold > 0.5 and (after > 1).float().mean() < 0.4 * (before > 1).float().mean()
    assert after.std() > 0.5, "and no other place"


class Smearing:
    """A model whose pictures are the latents. If the third number is above 1, encoding gives four times the latent."""

    def decode(self, z):
        return z

    def encode(self, x):
        return torch.where(x[:, 2:3] > 1, 4 * x, x), None
