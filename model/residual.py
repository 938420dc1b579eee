"""DogVAE's own network: an encoder that reads a frozen trunk, and a residual decoder.

The decoder spends its work at 8x8 to 32x32, where a dog's head is decided and where a CPU is fast, and
grows the last factor of two by pixel-shuffle. z speaks to every block, not only to the first: it scales
and shifts the channels (FiLM, Perez et al. 2018, arXiv:1709.07871), as the style does in a StyleGAN.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .trunk import LITE0, LITE0_CHANNELS, EfficientNetLite


class ResidualBlock(nn.Module):
    """x + conv(act(film(conv(act(norm x))))); z is None in the encoder."""

    def __init__(self, channels: int, latent_dim: int | None = None, norm: bool = True):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels) if norm else nn.Identity()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(latent_dim, 2 * channels) if latent_dim else None
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)  # a new block is the identity, so depth does not slow the start

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        h = self.conv1(F.silu(self.norm(x)))
        if self.film is not None:
            scale, shift = self.film(z)[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return x + self.conv2(F.silu(h))


class TrunkEncoder(nn.Module):
    """x [B, 3, S, S] -> [B, outputs], S (`size`) a multiple of 32.

    The trunk's features at strides 4 to 32 meet at stride 16: finer maps are folded into channels, so
    that no position is lost, and the coarsest is enlarged. Larger pictures are shrunk to S first.
    """

    def __init__(self, size: int, outputs: int, width: int):
        super().__init__()
        self.size = size
        self.trunk = EfficientNetLite(**LITE0)
        _, *channels = LITE0_CHANNELS
        folded = sum(c * fold for c, fold in zip(channels, (16, 4, 1, 1)))
        self.squeeze = nn.Conv2d(folded, width, 1)
        self.blocks = nn.Sequential(ResidualBlock(width), ResidualBlock(width))
        self.narrow = nn.Conv2d(width, width // 4, 1)
        self.head = nn.Linear(width // 4 * (size // 16) ** 2, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.from_features(self.trunk(shrink(x, self.size)))

    def from_features(self, features: list[Tensor]) -> Tensor:
        """The same, from features that the perceptual loss has computed already."""
        _, stride4, stride8, stride16, stride32 = features
        h = torch.cat(
            [
                F.pixel_unshuffle(stride4, 4),
                F.pixel_unshuffle(stride8, 2),
                stride16,
                F.interpolate(stride32, scale_factor=2.0),
            ],
            dim=1,
        )
        h = self.narrow(self.blocks(self.squeeze(h)))
        return self.head(F.silu(h).flatten(1))


def shrink(x: Tensor, size: int) -> Tensor:
    """Pictures [B, 3, S, S] -> [B, 3, size, size] by averaging, S a multiple of size; smaller ones stay as they are."""
    factor = x.shape[-1] // size
    return F.avg_pool2d(x, factor) if factor > 1 else x


class ResidualDecoder(nn.Module):
    """z [B, latent_dim] -> [B, 3, S, S], unbounded; vae.decode clamps it.

    widths: channels of its L levels, at S / 2^L (L = 6 for 256 px: 4 px) .. S / 2; blocks: residual blocks at each.
    draws_half: the last level but one draws a picture of half the size, and the last level what is finer, which is
    added to it enlarged (the skip generator of StyleGAN2: Karras et al. 2020, arXiv:1912.04958). That last level has a
    value of its own at every place (pixel-shuffle); the others begin with each value four times.
    """

    def __init__(
        self, image_size: int, latent_dim: int, widths: tuple[int, ...], blocks: tuple[int, ...], draws_half: bool
    ):
        super().__init__()
        self.side = image_size // 2 ** len(widths)
        self.stem = nn.Linear(latent_dim, widths[0] * self.side**2)
        self.blocks = nn.ModuleList()
        self.grow = nn.ModuleList()
        for i, width in enumerate(widths):
            norm = i < 3  # of larger maps GroupNorm took a third of a training step, and is not missed
            self.blocks.append(nn.ModuleList(ResidualBlock(width, latent_dim, norm) for _ in range(blocks[i])))
            if i + 1 < len(widths):  # the channels shrink before the picture grows: a 1x1 costs little there
                shuffled = draws_half and i + 2 == len(widths)
                self.grow.append(nn.Conv2d(width, widths[i + 1] * (4 if shuffled else 1), 1))
        self.to_rgb = nn.Conv2d(widths[-1], 3 * 4, 3, padding=1)
        self.to_half = nn.Conv2d(widths[-2], 3 * 4, 3, padding=1) if draws_half else None

    def forward(self, z: Tensor, half: bool = False) -> Tensor:
        """half: the picture of half the size alone, which needs no last level; the whole one unless draws_half."""
        if half and self.to_half is not None:
            return self.draw_half(self.features(z))
        return self.both(z)[1]

    def both(self, z: Tensor) -> tuple[Tensor | None, Tensor]:
        """z -> the picture of half the size [B, 3, S/2, S/2] (None unless draws_half), and the whole one."""
        h = self.features(z)
        half, h = None if self.to_half is None else self.draw_half(h), self.grow[-1](h)
        h = F.interpolate(h, scale_factor=2.0) if half is None else F.pixel_shuffle(h, 2)
        for block in self.blocks[-1].children():
            h = block(h, z)
        x = F.pixel_shuffle(self.to_rgb(F.silu(h)), 2)
        if half is not None:
            x = x + F.interpolate(half, scale_factor=2.0, mode="bilinear")
        return half, x

    def features(self, z: Tensor) -> Tensor:
        """z -> [B, widths[-2], S/4, S/4], after every level but the last."""
        return lower_levels(z, self.side, self.stem, self.blocks, self.grow)

    def draw_half(self, features: Tensor) -> Tensor:
        assert self.to_half is not None
        return F.pixel_shuffle(self.to_half(F.silu(features)), 2)


def lower_levels(z: Tensor, side: int, stem: nn.Module, blocks: nn.ModuleList, grow: nn.ModuleList) -> Tensor:
    """z -> the features after every level but the last; of ResidualDecoder's parts, or of packed ones."""
    h = stem(z).unflatten(1, (-1, side, side))
    h = h.contiguous(memory_format=torch.channels_last)
    for i, level in enumerate(blocks[:-1]):
        if i:
            h = F.interpolate(grow[i - 1](h), scale_factor=2.0)
        for block in level.children():
            h = block(h, z)
    return h
