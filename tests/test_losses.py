"""Each term of each loss has its effect, and the frozen trunk that measures does not change."""

import pytest
import torch

from tests.support.tiny import LARGE, TINY, TINY_PRESETS, drawn_batch, tiny_vae
from training.data.folder import Batch
from training.features import Judge, load_lite0, perceptual_distance
from training.losses import ClassicLoss, PerceptualLoss, patches

LOOKS_ONCE = {"l1": 8.0, "perceptual": 1.0}
CASES = {
    "dogvae": (TINY, lambda: PerceptualLoss(load_lite0(), 32), LOOKS_ONCE),
    "large": (LARGE, lambda: PerceptualLoss(load_lite0(), 32), LOOKS_ONCE | {"fine": 0.5, "half": 2.0}),
    "classic": (TINY_PRESETS["tiny-classic"], ClassicLoss, {"mse": 1.0}),
    "autoencoder": (TINY_PRESETS["tiny-autoencoder"], ClassicLoss, {"mse": 1.0}),
}


@pytest.fixture(params=CASES)
def case(request):
    """(vae, loss, weights, forward). forward(kl_weight) -> total, parts"""
    config, make_loss, weights = CASES[request.param]
    vae, loss = tiny_vae(config).train(), make_loss()
    x = drawn_batch(4, config.image_size)
    eps = torch.randn(4, config.latent_dim, generator=torch.Generator().manual_seed(0))
    batch = Batch(x, eps, torch.tensor([True, False, True, True]), start=0, seed=7, step_seed=7)

    def forward(kl_weight: float = 0.002):
        return loss(vae, batch, kl_weight)

    return vae, loss, weights | ({"kl": None} if config.variational else {}), forward


def test_every_term_moves_the_network(case):
    """The KL moves the encoder. Every other term moves the encoder and the decoder."""
    vae, _, weights, forward = case
    for name in weights:
        vae.zero_grad()
        forward()[1][name].backward()
        moved = [("head", vae.encoder.head.weight)] + ([] if name == "kl" else list(vae.decoder.named_parameters()))
        if name == "half":  # it does not reach the last layers, which draw only the whole size
            moved = [(n, p) for n, p in moved if not n.startswith(("to_rgb", f"grow.{len(vae.decoder.grow) - 1}"))]
        still = [n for n, p in moved if p.grad is None or not p.grad.any()]
        assert not still, f"{name} does not move {still}"


def test_a_step_down_each_term_lowers_it(case):
    vae, _, weights, forward = case
    for name in weights:
        vae.zero_grad()
        before = forward()[1][name]
        before.backward()
        trained = [p for p in vae.parameters() if p.grad is not None]
        with torch.no_grad():
            size = sum(p.grad.square().sum() for p in trained).sqrt()
            for p in trained:
                p -= 1e-3 / size * p.grad
        assert forward()[1][name] < before, name


@pytest.mark.parametrize("kl_weight", [0.0, 0.5, 1.0])
def test_the_total_is_the_weighted_sum(case, kl_weight):
    _, _, weights, forward = case
    total, parts = forward(kl_weight)
    assert parts.keys() == weights.keys()
    expected = sum((kl_weight if name == "kl" else weights[name]) * part for name, part in parts.items())
    torch.testing.assert_close(total, expected)


def test_the_trunks_learn_nothing(case):
    vae, loss, _, forward = case
    forward()[0].backward()
    frozen = [p for name, p in vae.named_parameters() if name.startswith("encoder.trunk.")]
    assert all(p.grad is None and not p.requires_grad for p in [*loss.parameters(), *frozen])


def test_a_perfect_reconstruction_costs_nothing(case):
    vae, loss, weights, _ = case
    x, zeros = drawn_batch(2, vae.config.image_size), torch.zeros(2, vae.config.latent_dim)
    logvar = zeros if vae.config.variational else None
    total, _ = loss(lambda *_: (x, zeros, logvar, None), Batch(x, zeros, torch.ones(2, dtype=torch.bool), 0, 0, 0), 1.0)
    assert total.abs() < 1e-6


def test_mse_is_that_of_pixels_0_to_255():
    x = torch.zeros(1, 3, 8, 8)
    batch = Batch(x, torch.zeros(1, 4), torch.ones(1, dtype=torch.bool), 0, 0, 0)
    total, _ = ClassicLoss()(lambda *_: (x + 2 / 255, torch.zeros(1, 4), None, None), batch, 1.0)
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_perceptual_distance():
    trunk, x = load_lite0(), drawn_batch(3, 64)
    f, g, blurred = trunk(x), trunk(x.flip(0)), trunk(torch.nn.functional.avg_pool2d(x, 5, 1, 2))
    assert perceptual_distance(f, f).abs().max() == 0
    d = perceptual_distance(f, g)
    assert d.shape == (3,) and d[0] > 0 and d[1] == 0
    torch.testing.assert_close(d, perceptual_distance(g, f))
    assert (perceptual_distance(f, blurred) > 0.05).all()


def test_the_judge_is_another_network():
    judge, pixels = Judge(), torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    features = judge(pixels)
    assert features.shape == (2, 1280) and features.isfinite().all() and features[0].std() > 0
    assert sum(p.numel() for p in judge.trunk.parameters()) > sum(p.numel() for p in load_lite0().parameters())
    assert not any(p.requires_grad for p in judge.parameters())


def test_patches_reach_the_edges_and_mirror_what_lies_beyond():
    columns = torch.arange(64.0).expand(500, 3, 64, 64)
    cut = patches(columns, 32, torch.Generator().manual_seed(0))
    assert cut.shape == (500, 3, 32, 32)
    assert (cut.diff(dim=3).abs() == 1).all(), "one column after the other, back from the edge"
    for edge in (0, 63):
        assert (cut == edge).any(3).all(2).any(1).float().mean() > 0.06, "kept within the picture it would be 1 in 33"
    both = patches(torch.cat([columns[:4], -columns[:4]]), 32, torch.Generator().manual_seed(1), same=2)
    assert torch.equal(both[:4], -both[4:]), "the same place in both"
