"""Bringing a dog nearer: gradient descent on z toward a picture."""

import itertools

import pytest
import torch

from model import load
from model.nearer import Descent, sharpness
from tests.support.tiny import ROOT, TINY, TINY_PRESETS, drawn_batch, some_latents, tiny_vae


def ready(config=TINY):
    vae = tiny_vae(config)
    vae.latents = some_latents(config.latent_dim)
    x = drawn_batch(3, config.image_size)
    return vae.requires_grad_(False), x, vae.encode(x)[0]


def losses(vae, x, mu, z):
    """The losses of latents z, as a descent that starts at mu judges them."""
    with torch.no_grad():
        return Descent(vae, x, mu).loss(z)


@pytest.mark.parametrize("model", ["tiny", "large", "classic"])
def test_every_picture_comes_nearer(model):
    if model == "classic":  # it has no trunk, so only pixels are compared
        vae, x = load(ROOT / "weights" / "classic", device="cpu"), drawn_batch(3, 127)
        mu = vae.encode(x)[0]
    else:
        vae, x, mu = ready(TINY_PRESETS[model])
    z = vae.nearer(x, mu, steps=12)
    assert z.shape == mu.shape and z.dtype == torch.float32 and not z.requires_grad
    assert not z.is_inference(), "what is computed from it may need a gradient"
    small, near, far = (torch.nn.functional.avg_pool2d(t, 4) for t in (x, vae.decode(z), vae.decode(mu)))
    assert ((near - small).abs().mean((1, 2, 3)) < (far - small).abs().mean((1, 2, 3))).all()


def test_the_picture_keeps_its_sharpness():
    vae, x, mu = ready()
    flat = x.mean((2, 3), keepdim=True).expand_as(x).contiguous()  # plain descent would remove all sharpness
    before, after = sharpness(vae.decode(mu)), sharpness(vae.decode(vae.nearer(flat, mu, steps=12)))
    assert (after > 0.5 * before).all()


def test_it_is_followed_step_by_step_and_a_picture_does_not_depend_on_the_others():
    vae, x, mu = ready()
    steps, zs = zip(*vae.nearer_steps(x, mu, steps=6))
    assert steps == tuple(range(1, len(steps) + 1)) and torch.equal(zs[-1], vae.nearer(x, mu, steps=6))
    alone = vae.nearer(x[:1], mu[:1], steps=6)
    torch.testing.assert_close(alone, zs[-1][:1], atol=1e-3, rtol=1e-3)
    assert torch.equal(vae.nearer(x, mu, steps=0), mu)


def test_no_mode_of_torch_leaks_to_who_follows():
    vae, x, mu = ready()
    with torch.inference_mode():
        assert next(iter(vae.nearer_steps(x, mu)))[1].isfinite().all() and torch.is_inference_mode_enabled()
    with torch.no_grad():
        for _ in itertools.islice(vae.nearer_steps(x, mu), 2):
            assert not torch.is_grad_enabled()
    assert all(p.grad is None for p in vae.parameters())


def test_it_ends_where_it_no_longer_helps():
    vae, x, mu = ready()
    there = vae.decode(mu)
    taken = len(list(vae.nearer_steps(there, mu, steps=200)))
    assert taken < 50, "the pictures are there already"


def test_the_last_good_latent_stays_where_the_descent_breaks(monkeypatch):
    vae, x, mu = ready()
    judge = Descent.judge

    def broken(self):  # from the third call on, the second picture's coordinates are NaN
        self.judged = getattr(self, "judged", 0) + 1
        if self.judged > 2:
            with torch.no_grad():
                self.c[1] = torch.nan
        return judge(self)

    whole = vae.nearer(x, mu, steps=8)
    monkeypatch.setattr(Descent, "judge", broken)
    z = vae.nearer(x, mu, steps=8)
    assert z.isfinite().all()
    torch.testing.assert_close(z[[0, 2]], whole[[0, 2]], atol=1e-3, rtol=1e-3)
    assert (losses(vae, x, mu, z) <= losses(vae, x, mu, mu) + 1e-4)[1], "the second is where it was best"


def test_nothing_that_is_not_a_number_comes_out_of_a_picture_that_is_none():
    vae, x, mu = ready()
    assert torch.equal(vae.nearer(torch.full_like(x, torch.nan), mu), mu)


@pytest.mark.parametrize("wrong", ["size", "count", "dim", "steps", "half a step"])
def test_it_refuses_what_does_not_fit(wrong):
    vae, x, mu = ready()
    x = x[..., :16] if wrong == "size" else x
    mu = mu[:2] if wrong == "count" else mu[:, :8] if wrong == "dim" else mu
    with pytest.raises(ValueError, match="nearer takes|whole number"):
        vae.nearer(x, mu, steps={"steps": -1, "half a step": 0.5}.get(wrong, 2))
