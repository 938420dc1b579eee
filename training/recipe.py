"""How each preset is trained, as functions of the images seen."""

import math
from dataclasses import dataclass, replace

import torch
from torch import nn


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained. All horizons count images seen, not steps."""

    batch: int
    lr: float
    betas: tuple[float, float]
    clip: float  # of the gradient's norm
    ema_halflife: int = 10_000
    warmup: int = 5_000  # of the learning rate
    kl_warmup: int = 10_000
    realism_share: float = 0.0  # of all images, the last ones: the second phase, with a discriminator
    realism_weight: float = 1.15
    realism_lr: float = 2e-4
    critic_lr: float = 5e-4
    realism_warmup: int = 2_000  # of that rate and of the weight
    critic_alone: int = 10_000  # of the second phase, at most its first tenth: so long only the critic learns


RECIPES = {
    "dogvae": Recipe(batch=16, lr=6e-4, betas=(0.9, 0.99), clip=3.0, realism_share=0.5),
    "classic": Recipe(batch=128, lr=5e-4, betas=(0.9, 0.999), clip=1e9, kl_warmup=0),
    "autoencoder": Recipe(batch=128, lr=5e-4, betas=(0.9, 0.999), clip=1e9, kl_warmup=0),
}


def learning_rate(peak: float, warmup: int, images: int, total: float) -> float:
    """A linear warm-up, then half a cosine down to zero at `total` images."""
    warm = min(1.0, (images + 1) / warmup)
    return peak * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, images / max(total, 1))))


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, halflife: int, images: int, batch: int) -> None:
    """A half-life in images, shorter while the run is young (as in NVlabs/edm2); buffers are copied."""
    decay = 0.5 ** (batch / min(halflife, max(images * 0.1, 1)))
    ours = [p for p in ema.parameters()]
    theirs = [p for p in model.parameters()]
    trained = [i for i, p in enumerate(theirs) if p.requires_grad]
    torch._foreach_lerp_([ours[i] for i in trained], [theirs[i] for i in trained], 1 - decay)
    for own, other in zip(ema.buffers(), model.buffers()):
        own.copy_(other)


def scaled(recipe: Recipe, batch: int | None) -> Recipe:
    """The recipe for another batch: Adam's learning rates grow with its root (Malladi 2022, arXiv:2205.10287)."""
    if not batch:
        return recipe
    root = (batch / recipe.batch) ** 0.5
    rates = {name: root * getattr(recipe, name) for name in ("lr", "realism_lr", "critic_lr")}
    return replace(recipe, batch=batch, **rates)
