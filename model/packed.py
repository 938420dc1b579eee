"""A VAE that is quick with one dog.

oneDNN, which computes convolutions on a CPU, wants their weights in an order of its own. Given torch's, it
makes that order anew at every call, which is a seventh of a decode at batch 1. What is left beside the
convolutions are passes over the features, each of which waits for both cores: here they are fewer, and those that
make a picture larger move bytes in the order in which they lie.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .residual import ResidualBlock, ResidualDecoder, lower_levels
from .vae import DogVAE

FUNCTIONS = "_reorder_convolution_weight", "_convolution_pointwise"  # of torch's own compiler


class PackedConv(nn.Module):
    """An nn.Conv2d whose weights are in oneDNN's order. The best one depends on the size of what is convolved: it is
    made for the first call, and serves the others.

    for_shuffle: its channels come in the order that `shuffle` takes.
    """

    def __init__(self, conv: nn.Conv2d, for_shuffle: bool = False):
        super().__init__()
        assert conv.bias is not None  # as in every convolution of a decoder
        self.conv, self.weight, self.bias = conv, None, conv.bias.detach()
        self.order = torch.arange(len(self.bias)).view(-1, 4).T.flatten() if for_shuffle else None
        self.how = list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """conv(x), or conv(x) + plus in one pass."""
        if self.weight is None:
            self._pack(list(x.shape))
        convolve, weights = torch.ops.mkldnn._convolution_pointwise, (self.weight, self.bias, *self.how)
        if plus is None:
            return convolve(x, *weights, "none", [], "")
        return convolve.binary(x, plus, *weights, "add", 1.0, None, [], None)

    def _pack(self, shape: list[int]) -> None:
        weight = self.conv.weight
        if self.order is not None:
            weight, self.bias = weight[self.order], self.bias[self.order]
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self.how, shape)


class PackedBlock(nn.Module):
    """What ResidualBlock computes, in four passes fewer."""

    def __init__(self, block: ResidualBlock):
        super().__init__()
        assert block.film is not None  # as in every block of a decoder
        self.norm, self.film = block.norm, block.film
        self.conv1, self.conv2 = PackedConv(block.conv1), PackedConv(block.conv2)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm(x)))
        scale, shift = self.film(z)[:, :, None, None].chunk(2, dim=1)
        return self.conv2(F.silu(torch.addcmul(shift, h, 1 + scale), inplace=True), plus=x)


class PackedDecoder(nn.Module):
    """What ResidualDecoder computes."""

    def __init__(self, decoder: ResidualDecoder):
        super().__init__()
        self.side, self.stem = decoder.side, decoder.stem
        self.blocks = nn.ModuleList(
            nn.ModuleList(PackedBlock(block) for block in level.children() if isinstance(block, ResidualBlock))
            for level in decoder.blocks
        )
        half, grow = decoder.to_half, [conv for conv in decoder.grow if isinstance(conv, nn.Conv2d)]
        is_last = [conv is grow[-1] for conv in grow]
        self.grow = nn.ModuleList(PackedConv(conv, half is not None and last) for conv, last in zip(grow, is_last))
        self.to_rgb = PackedConv(decoder.to_rgb, for_shuffle=True)
        self.to_half = PackedConv(half, for_shuffle=True) if half is not None else None
        self.enlarge = PackedConv(_bilinear(decoder.to_rgb.weight.dtype)) if half is not None else None

    def forward(self, z: Tensor, half: bool = False) -> Tensor:
        h = lower_levels(z, self.side, self.stem, self.blocks, self.grow)
        if self.to_half is None or self.enlarge is None:
            return self.last_level(F.interpolate(self.grow[-1](h), scale_factor=2.0), z)
        small = shuffle(self.to_half(F.silu(h)))
        if half:
            return small
        return self.last_level(shuffle(self.grow[-1](h)), z, self.enlarge(F.pad(small, [1] * 4, mode="replicate")))

    def last_level(self, h: Tensor, z: Tensor, plus: Tensor | None = None) -> Tensor:
        """plus: what is added to the picture, before it is shuffled."""
        for block in self.blocks[-1].children():
            h = block(h, z)
        return shuffle(self.to_rgb(F.silu(h, inplace=True), plus))


def shuffle(x: Tensor) -> Tensor:
    """F.pixel_shuffle(x, 2) of [B, 4 C, H, W], in a third of its time, where the channels come place by place: those of
    the upper left first, not the four places of the first one. Channels last."""
    b, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(b, h, w, 2, c // 2).transpose(2, 3)  # what lies side by side, stays so
    return rows.reshape(b, 2 * h, 2 * w, c // 4).permute(0, 3, 1, 2)


def _bilinear(dtype: torch.dtype) -> nn.Conv2d:
    """F.interpolate(x, scale_factor=2.0, mode="bilinear") of [B, 3, H, W], but for the shuffle, of an x with one more
    pixel all round."""
    near = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])  # the pixels that the left and the right half lie in
    places = torch.einsum("ay,bx->abyx", near, near).flatten(0, 1)  # [4, 3, 3]
    conv = nn.Conv2d(3, 12, 3, dtype=dtype).requires_grad_(False)
    conv.weight.copy_(torch.einsum("pyx,oi->poiyx", places, torch.eye(3)).flatten(0, 1))
    conv.bias = nn.Parameter(torch.zeros(12, dtype=dtype), requires_grad=False)
    return conv.to(memory_format=torch.channels_last)


def packed(vae: DogVAE) -> DogVAE:
    """The same VAE for decoding on a CPU, which shares all but what it packs with the given one (16 MB of dogvae in
    bfloat16). That one itself: on a GPU; where torch has not these functions; in bfloat16 without AVX-512."""
    if vae.device.type != "cpu" or not all(hasattr(torch.ops.mkldnn, name) for name in FUNCTIONS):
        return vae
    if vae.dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return vae
    shared = [*vae.parameters(), *vae.buffers(), vae.latents, vae.looks, vae.breeds]
    vae = copy.deepcopy(vae, {id(part): part for part in shared})
    if isinstance(vae.decoder, ResidualDecoder):
        vae.decoder = PackedDecoder(vae.decoder)  # type: ignore[assignment]
    else:
        _pack(vae.decoder)
    vae.decode(torch.zeros(1, vae.config.latent_dim))  # packs for one dog, as the page draws them
    return vae


def _pack(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            setattr(module, name, PackedConv(child))
        else:
            _pack(child)
