"""Fitting the latents again, by hand."""

import sys

import pytest
import torch

from model import load
from model.pretrained import save
from tests.support.tiny import some_latents, tiny_vae
from training import fit


def test_fit_replaces_the_latents(tmp_path, drawn, monkeypatch, capsys):
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
    assert "Fitted to 23 pictures" in capsys.readouterr().out
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
