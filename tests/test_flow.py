"""The prior that flows: what it learns, that it draws the same dogs everywhere, and its part of the file."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from model import Latents
from model.latents import Basis, Chosen, flow, numbered
from tests.support.tiny import choosy, some_latents
from training import flow as fitting


def plain(dim: int) -> Basis:
    """In which coordinates are latents."""
    ones = torch.ones(dim)
    return Basis(torch.zeros(dim), torch.eye(dim), ones, ones, ones, numbered(dim), (math.log(dim), 0.5))


@pytest.fixture
def short_run(monkeypatch):
    for name, value in (("WIDTH", 64), ("STEPS", 500), ("HALFLIFE", 18_000)):  # a short run has a short memory
        monkeypatch.setattr(fitting, name, value)


def test_a_flow_learns_what_goes_together(short_run):
    """On a ring one coordinate is large where the other is small. One Gaussian would fill the ring's middle."""
    generator = torch.Generator().manual_seed(0)
    angle = torch.rand(4000, generator=generator) * 2 * math.pi
    ring = 2**0.5 * torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(4000, 2, generator=generator)
    before = torch.random.get_rng_state()
    drawn = fitting.fit_flow(plain(2), ring, None).draw(1000, 1.0, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    radius = drawn.norm(dim=1)
    assert ((radius > 1).float().mean() > 0.9) and ((radius - 2**0.5).abs() < 0.4).float().mean() > 0.85
    quarters = (drawn > 0).float() @ torch.tensor([1.0, 2.0])
    assert quarters.long().bincount().min() > 150, "the whole ring"


def test_a_flow_draws_as_wide_and_as_askew_as_the_latents_that_it_learned(short_run, monkeypatch):
    """Of six directions it learns the four widest, of which two go together; the other two are Gaussian."""
    monkeypatch.setattr(fitting, "WIDEST", 4)
    sd = torch.tensor([0.5, 3.0, 1.0, 0.2, 2.0, 0.7])
    z = torch.randn(4000, 6, generator=torch.Generator().manual_seed(0))
    z[:, 4] = 0.8 * z[:, 1] + 0.6 * z[:, 4]
    basis = replace(plain(6), sd=sd)  # in which coordinates have a standard deviation of 1, except:
    z[:, 2] *= 0.5
    drawn = fitting.fit_flow(basis, z * sd, None).draw(2000, 1.0, seed=3) / sd
    torch.testing.assert_close(drawn.std(0), z.std(0), rtol=0.1, atol=0)
    torch.testing.assert_close(drawn.T.corrcoef(), z.T.corrcoef(), rtol=0, atol=0.1)


def test_a_flow_learns_where_the_encoder_is_unsure(short_run):
    """Of two points, each with noise, half of the noise is learned: what lies between them stays empty."""
    mu = torch.tensor([-1.0, 1.0]).repeat(2000)[:, None]
    logvar = torch.full_like(mu, 2 * math.log(0.4))
    drawn = fitting.fit_flow(plain(1), mu, logvar).draw(2000, 1.0, seed=3)
    assert drawn.abs().mean() == pytest.approx(1, abs=0.1)
    assert drawn.abs().std() == pytest.approx(fitting.NOISE * 0.4, abs=0.07)


def test_directions_along_which_there_is_only_noise_are_not_learned(short_run):
    """Dogs differ along three directions of eight; along the others the encoder says nothing, at any photo."""
    sd = torch.tensor([2.0, 1.0, 0.5, *[0.02] * 5])
    mu = sd * torch.randn(4000, 8, generator=torch.Generator().manual_seed(0))
    spread = torch.tensor([0.2, 0.2, 0.2, *[1.0] * 5])  # the encoder's
    fitted = fitting.fit_flow(replace(plain(8), sd=sd), mu, (2 * spread.log()).expand_as(mu))
    assert fitted.field.points.in_features == 3
    half = fitting.NOISE * spread * torch.tensor([1.0] * 3 + [0.0] * 5)
    torch.testing.assert_close(fitted.draw(2000, 1.0, seed=3).std(0), (sd**2 + half**2).sqrt(), rtol=0.1, atol=0)


def test_a_flow_of_latents_that_are_all_alike_can_be_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "STEPS", 5)
    latents = some_latents()
    alike = latents.mean.repeat(40, 1)
    whole = Latents.of(latents, mixture=latents.priors["mixture"], flow=fitting.fit_flow(latents, alike, None))
    whole.save(tmp_path / "latents.safetensors")
    drawn = Latents.load(tmp_path / "latents.safetensors").sample(3, prior="flow")
    torch.testing.assert_close(drawn, alike[:3], atol=1e-3, rtol=0)


@pytest.mark.parametrize("prior", ["flow", "chosen"])
def test_it_draws_the_same_dogs_however_many_and_on_any_number_of_threads(prior, monkeypatch):
    monkeypatch.setattr(flow, "AT_ONCE", 16)
    latents, threads = choosy(0.5, dim=256, flows=True), torch.get_num_threads()
    z = latents.sample(60, 0.9, seed=11, prior=prior)
    assert z.dtype == torch.float32 and z.isfinite().all() and len(z.unique(dim=0)) == 60
    alone = torch.cat([latents.sample(n, 0.9, seed=11, prior=prior)[-1:] for n in (1, 2, 7, 57)])
    torch.testing.assert_close(alone, z[[0, 1, 6, 56]], atol=1e-6, rtol=1e-6)
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        torch.testing.assert_close(latents.sample(60, 0.9, seed=11, prior=prior), z, atol=1e-6, rtol=1e-6)
    finally:
        torch.set_num_threads(threads)


def test_it_is_stored_with_the_latents_and_is_what_is_chosen_from(tmp_path):
    latents, path = choosy(0.5, dim=256, flows=True), tmp_path / "latents.safetensors"
    latents.save(path)
    before = torch.random.get_rng_state()
    loaded = Latents.load(path)
    assert torch.equal(torch.random.get_rng_state(), before)
    for prior in ("mixture", "flow", "fitted"):
        assert torch.equal(loaded.sample(20, 0.9, seed=2, prior=prior), latents.sample(20, 0.9, seed=2, prior=prior))
    assert path.stat().st_size < 1_000_000
    assert isinstance(loaded.priors["chosen"], Chosen) and loaded.priors["chosen"].source is loaded.priors["flow"]
    del loaded.priors["chosen"]
    loaded.save(path)
    loaded = Latents.load(path)
    assert torch.equal(loaded.sample(3, seed=2), loaded.sample(3, seed=2, prior="flow")), "without a choice, the flow"


@pytest.mark.parametrize(
    "key, value",
    [
        ("flow.scale", None),
        ("flow.scale", torch.ones(8)),
        ("flow.points.weight", None),
        ("flow.points.weight", torch.ones(5)),
        ("flow.times.bias", torch.ones(())),
        ("flow.velocity.bias", torch.ones(300)),
        ("flow.blocks.1.1.weight", None),
        ("flow.blocks", torch.ones(3)),
        ("flow.blocks.7.1.weight", torch.ones(192, 192)),
        ("flow.tree.weight", torch.ones(3)),
        ("flow.points.bias", torch.full((192,), torch.nan)),
        ("flow.velocity.bias", torch.full((64,), 1e6)),  # more than float16 holds
        ("flow.times.bias", torch.ones(3_000_000)),  # a network of this width would take 36 TB
    ],
)
def test_a_damaged_flow_is_refused_in_one_sentence(tmp_path, key, value):
    path = tmp_path / "latents.safetensors"
    choosy(0.5, dim=256, flows=True).save(path)
    damaged = {k: t for k, t in load_file(path).items() if k != key} | ({} if value is None else {key: value})
    save_file(damaged, path, {"distance": "[5.0, 0.2]"})
    with pytest.raises(ValueError, match=r"latents\.safetensors (holds|lacks)") as caught:
        Latents.load(path)
    assert "\n" not in str(caught.value)
