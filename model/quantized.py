"""A decoder that multiplies bytes, for pictures that are replaced in a moment.

The 3x3 convolutions of the residual blocks, most of a decode's work, take weights and features of 8 bits: a sixth
less time for a picture, and one level in 255 more of error on average (training/RESULTS.md). The range of the features
at each place is seen on dogs of the prior (static quantization: Jacob et al. 2017, arXiv:1712.05877).
"""

import torch
from torch import Tensor, nn

from .packed import PackedBlock, PackedConv, PackedDecoder, packed
from .vae import DogVAE

FUNCTIONS = "qconv_prepack", "qconv2d_pointwise"  # of torch's own compiler
CONVS = "conv1", "conv2"  # of a block
SEEN, COMPARED = 32, 8  # dogs on which the ranges are seen, and on which the pictures are compared
MOST = 2.0  # levels of 255, on average, that its pictures may be off
LEVELS = 127.5  # of a picture in [-1, 1]


class ByteConv(nn.Module):
    """A PackedConv on features of 8 bits. Each channel's weights have their own scale; features lie in low..high."""

    def __init__(self, packed_conv: PackedConv, low: float, high: float, shape: list[int]):
        super().__init__()
        conv = packed_conv.conv
        weight = conv.weight.float()
        self.scales = weight.abs().amax((1, 2, 3)).clamp(min=1e-8) / 127
        weight = (weight / self.scales[:, None, None, None]).round().to(torch.int8)
        self.step = max(high - low, 1e-8) / 255
        self.zero = round(-low / self.step)
        self.how = list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups
        args = weight, self.scales, self.step, self.zero, *self.how, shape
        self.weight, self.zeros = torch.ops.onednn.qconv_prepack(*args), torch.zeros(len(weight), dtype=torch.int32)
        self.bias = packed_conv.bias.float()

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """As PackedConv's."""
        levels = torch.add(self.zero, x, alpha=1 / self.step).round_().clamp_(0, 255).to(torch.uint8)
        weights = self.weight, self.scales, self.zeros, self.bias
        y = torch.ops.onednn.qconv2d_pointwise(
            levels, self.step, self.zero, *weights, *self.how, 1.0, 0, x.dtype, "none", [], ""
        )
        return y if plus is None else y.add_(plus)


def quantized(vae: DogVAE) -> DogVAE | None:
    """The same VAE, its decoder made for a CPU that multiplies bytes faster than bfloat16; None where this one does
    not, or where that would draw other dogs. It shares what `packed` shares. Takes about a second."""
    if not can_multiply_bytes(vae):
        return None
    try:
        quick = _on_bytes(packed(vae))
        z = vae.latents.sample(COMPARED, seed=2)
        off = torch.stack([(quick.decode(dog[None]) - vae.decode(dog[None])).abs().mean() for dog in z])
    except RuntimeError:  # a torch whose functions take something else
        return None
    return quick if LEVELS * off.mean() <= MOST else None


def can_multiply_bytes(vae: DogVAE) -> bool:
    """Without VNNI sums of products of bytes overflow."""
    has_them = all(hasattr(torch.ops.onednn, name) for name in FUNCTIONS)
    on_cpu = vae.device.type == "cpu" and vae.dtype == torch.bfloat16 and torch.cpu._is_vnni_supported()
    return has_them and on_cpu and vae.config.network == "residual"


def _on_bytes(vae: DogVAE) -> DogVAE:
    """A packed VAE, its blocks' convolutions replaced."""
    decoder = vae.decoder
    assert isinstance(decoder, PackedDecoder)
    convolutions = [(block, name) for block in decoder.modules() if isinstance(block, PackedBlock) for name in CONVS]
    seen = {place: _Range() for place in convolutions}
    hooks = [getattr(block, name).register_forward_pre_hook(seen[block, name].see) for block, name in convolutions]
    for dog in vae.latents.sample(SEEN, seed=1):
        vae.decode(dog[None])
    for hook in hooks:
        hook.remove()
    for (block, name), features in seen.items():
        setattr(block, name, ByteConv(getattr(block, name), features.low, features.high, features.shape))
    return vae


class _Range:
    """Of the features that come to a convolution."""

    low, high, shape = 0.0, 0.0, [0]

    def see(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        least, most = inputs[0].aminmax()
        self.low, self.high = min(self.low, least.item()), max(self.high, most.item())
        self.shape = list(inputs[0].shape)
