"""What changes while a run goes on, as functions of the images seen: the learning rate and the averaged weights."""

import math

import torch
from torch import nn


def learning_rate(peak: float, warmup: int, images: float, total: float, hold: float = 0.0) -> float:
    """A linear warm-up, the peak until the share `hold` of `total` images, then half a cosine down to zero."""
    warm = min(1.0, (images + 1) / warmup)
    done = min(1.0, images / max(total, 1))
    falling = max(0.0, done - hold) / (1 - hold)
    return peak * warm * 0.5 * (1 + math.cos(math.pi * falling))


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
