"""A network that asks whether a picture looks real: the critic (critic.py) has two of them.

A projected discriminator (Sauer et al. 2021, arXiv:2111.01007): small networks on the frozen trunk's features, which
are first mixed across channels and strides by fixed random weights, so that none of them can rely on a few channels;
hinge loss; and the same differentiable augmentation of real and drawn pictures (Zhao et al. 2020, arXiv:2006.10738),
without which it would learn the training dogs by heart.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from model.trunk import LITE0_CHANNELS as CHANNELS
from model.trunk import unit_normalize

from .losses import windows

MIXED = (32, 128, 128, 128, 128)  # of each stride once they are mixed; few at the finest, which holds most places


def scorer(channels: int) -> nn.Sequential:
    """[B, channels, H, W] -> logits [B, 1, H, W]."""
    width = min(channels, 64)
    return nn.Sequential(
        spectral_norm(nn.Conv2d(channels, width, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, 1, 3, padding=1)),
    )


class Discriminator(nn.Module):
    """The trunk's five feature maps -> one map of logits for each: `judge(mix(features))`."""

    def __init__(self):
        super().__init__()
        self.across = nn.ModuleList(nn.Conv2d(own, mixed, 1, bias=False) for own, mixed in zip(CHANNELS, MIXED))
        self.down = nn.ModuleList(nn.Conv2d(mixed, mixed, 3, padding=1, bias=False) for mixed in MIXED[1:])
        generator = torch.Generator().manual_seed(0)
        for mixing in (*self.across, *self.down):
            nn.init.normal_(mixing.weight, std=mixing.weight[0].numel() ** -0.5, generator=generator)
            mixing.requires_grad_(False)
        self.heads = nn.ModuleList(scorer(mixed) for mixed in MIXED)  # by this name they are stored

    def mix(self, features: list[Tensor]) -> list[Tensor]:
        """The trunk's five maps [B, CHANNELS, H, W] -> as many [B, MIXED, H, W], the coarser ones mixed into each."""
        # Unit vectors times sqrt(C): every channel about 1, whatever the trunk's own scale at that stride.
        finest, *scaled = [unit_normalize(f) * f.shape[1] ** 0.5 for f in features]
        mixed: list[Tensor] = []
        coarser = None
        for f, across, down in reversed(list(zip(scaled, self.across[1:], self.down))):
            h = across(f)
            if coarser is not None:
                h = (h + F.interpolate(coarser, scale_factor=2.0, mode="bilinear")) * 0.5**0.5
            coarser = down(h)
            mixed.insert(0, coarser)
        return [self.across[0](finest), *mixed]  # the finest sees grain and edges; mixing there would cost most

    def judge(self, mixed: list[Tensor]) -> list[Tensor]:
        """Of each mixed map its logits [B, 1, H, W], float32."""
        return [score(h).float() for score, h in zip(self.heads, mixed)]


def critic_loss(real: list[Tensor], drawn: list[Tensor]) -> Tensor:
    """The hinge loss of the discriminator: logits above 1 for real pictures, below -1 for drawn ones."""
    each = (F.relu(1 - r).mean() + F.relu(1 + d).mean() for r, d in zip(real, drawn))
    return sum(each, torch.zeros(())) / len(real)


def realism_loss(drawn: list[Tensor]) -> Tensor:
    """What the decoder makes small: the negative mean logit."""
    return -sum((d.mean() for d in drawn), torch.zeros(())) / len(drawn)


class Augmentation:
    """DiffAugment, drawn once for `count` pictures: brightness, saturation, contrast, a shift by up to 1/8, a
    hole of 3/8. Picture i gets the i-th in every call, so a photo and its reconstruction stay comparable."""

    def __init__(self, count: int, size: int, generator: torch.Generator, device: torch.device):
        def uniform(low: float, high: float) -> Tensor:
            values = torch.rand(count, 1, 1, 1, generator=generator) * (high - low) + low
            return values.to(device)

        self.brightness, self.saturation, self.contrast = uniform(-0.5, 0.5), uniform(0.5, 1.5), uniform(0.75, 1.25)
        self.reach, hole = size // 8, size * 3 // 8
        # Where each picture is cut out of its padded one.
        self.corners = torch.randint(2 * self.reach + 1, (count, 2), generator=generator).to(device)
        holes = torch.randint(-hole // 2, size - hole // 2, (count, 2), generator=generator).to(device)
        along = torch.arange(size, device=device)
        rows, columns = ((along >= c) & (along < c + hole) for c in (holes[:, :1], holes[:, 1:]))
        self.kept = ~(rows[:, None, :, None] & columns[:, None, None, :])

    def __call__(self, x: Tensor) -> Tensor:
        """[B, 3, S, S] with B at most `count`; differentiable."""
        n = len(x)
        x = x + self.brightness[:n]
        grey = x.mean(dim=1, keepdim=True)
        x = (x - grey) * self.saturation[:n] + grey
        middle = x.mean(dim=(1, 2, 3), keepdim=True)
        x = (x - middle) * self.contrast[:n] + middle
        moved = windows(F.pad(x, [self.reach] * 4), self.corners[:n], x.shape[-1])
        return moved * self.kept[:n]
