"""A photo's dog brought nearer: descent on z, from the encoder's first answer toward the photo itself.

The encoder answers in one pass; other 256 numbers draw a picture that is nearer to the photo. Plain descent on the
distance would blur the picture, since an average of hairs is nearer to each hair than a wrong hair is. So the loss also
asks the picture to keep the sharpness that it began with.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from .residual import TrunkEncoder, shrink
from .trunk import perceptual_distance

if TYPE_CHECKING:
    from .vae import DogVAE

STEPS = 20
RATE, LAST_RATE = 0.3, 0.05  # of Adam, in standard deviations a step: at the first step and at the last
WARMUP = 8  # steps in which the rate rises: where the first answer is good, whole ones lead away from it at once
BETAS = 0.8, 0.95  # of Adam, which remembers less where there are twenty steps
L1, SHARPNESS, PRICE = 8.0, 1.0, 2e-4  # weights in the loss, beside features at 1
PATIENCE, WORTH = 4, 0.002  # it ends when 4 steps together have lowered the loss by less than this share


def nearer_steps(vae: "DogVAE", x: Tensor, mu: Tensor, steps: int = STEPS) -> Iterator[tuple[int, Tensor]]:
    """Pictures x [B, 3, S, S] in [-1, 1] and what the encoder says of them, mu [B, D] -> (steps done, z [B, D]).

    After each step: z, float32 on the model's device, is for each picture the nearest one so far, and mu where there
    is none (a loss that is not finite is never the nearest). Between two steps the caller may do other work.
    A model without a trunk ("classic") descends on pixels alone.
    Raises ValueError for shapes that do not fit, steps that are not a whole number from 0 on, a model without latents.
    """
    if vae.latents is None:
        raise ValueError("This model has no latents yet; run python -m training.fit.")
    size, dim = vae.config.image_size, vae.config.latent_dim
    if x.shape[1:] != (3, size, size) or mu.shape != (len(x), dim):
        raise ValueError(
            f"nearer takes pictures [B, 3, {size}, {size}] and latents [B, {dim}], "
            f"not {list(x.shape)} and {list(mu.shape)}."
        )
    if type(steps) is not int or steps < 0:
        raise ValueError("The steps are a whole number from 0 on.")
    return _descend(Descent(vae, x, mu), steps)


def _descend(descent: "Descent", steps: int) -> Iterator[tuple[int, Tensor]]:
    history = [descent.judge()]
    for step in range(1, steps + 1):
        share = (step - 1) / max(steps - 1, 1)
        descent.step(min(1, step / WARMUP) * (RATE + share * (LAST_RATE - RATE)))
        history.append(descent.judge())
        yield step, descent.nearest
        before = history[-1 - PATIENCE] if len(history) > PATIENCE else float("inf")
        if not before - history[-1] >= WORTH * abs(before):  # NaN, where no picture can be judged, ends it too
            return


class Descent:
    """Where the descent is, and the nearest z so far. No gradient mode or graph outlives a call."""

    @torch.inference_mode(False)
    def __init__(self, vae: "DogVAE", x: Tensor, mu: Tensor):
        self.vae, device, latents = vae, vae.device, vae.latents
        self.mean, self.directions, self.sd = (t.to(device) for t in (latents.mean, latents.directions, latents.sd))
        # Copies: what `encode` returns was made in inference mode, through which no gradient passes.
        self.x, self.nearest = x.to(device).float().clone(), mu.to(device).float().clone()
        self.c = ((self.nearest - self.mean) @ self.directions.T / self.sd).requires_grad_()
        self.adam = torch.optim.Adam([self.c], betas=BETAS)
        self.least = torch.full((len(x),), float("inf"), device=device)  # loss of the nearest
        self.losses: Tensor | None = None
        with torch.no_grad():
            self.features, self.small = self._features(self.x), F.avg_pool2d(self.x, 4)
            self.sharpness = sharpness(self.vae.decoder(self.z().to(vae.dtype)).float())

    def z(self) -> Tensor:
        return self.mean + (self.c * self.sd) @ self.directions

    @torch.inference_mode(False)
    @torch.enable_grad()
    def judge(self) -> float:
        """Judges z and keeps it where it is nearer than before; the mean of the least losses, NaN if none is finite."""
        z = self.z()
        self.losses = self.loss(z)
        with torch.no_grad():
            better = self.losses < self.least  # False for NaN
            self.least = torch.where(better, self.losses, self.least)
            self.nearest = torch.where(better[:, None], z, self.nearest)
            return self.least[self.least.isfinite()].mean().item()

    @torch.inference_mode(False)
    def step(self, rate: float) -> None:
        assert self.losses is not None
        (self.c.grad,) = torch.autograd.grad(self.losses.sum(), self.c)  # of the weights none is computed
        self.adam.param_groups[0]["lr"] = rate
        self.adam.step()

    def loss(self, z: Tensor) -> Tensor:
        """Of each picture [B]: features, colours at quarter size, sharpness lost, and distance from the mean dog."""
        y = self.vae.decoder(z.to(self.vae.dtype)).float()
        loss = L1 * (F.avg_pool2d(y, 4) - self.small).abs().mean((1, 2, 3)) + PRICE * self.c.square().sum(1)
        if self.features:
            loss = loss + perceptual_distance(self._features(y), self.features)
        lost = (self.sharpness / sharpness(y)).log().clamp(min=0)
        return loss + SHARPNESS * lost.square()

    def _features(self, x: Tensor) -> list[Tensor]:
        """The trunk's, as the encoder sees pictures; none where the encoder has no trunk."""
        if not isinstance(self.vae.encoder, TrunkEncoder):
            return []
        small = shrink(x, self.vae.config.encoder_size)
        return self.vae.encoder.trunk(small.to(self.vae.dtype, memory_format=torch.channels_last))


def sharpness(x: Tensor) -> Tensor:
    """The energy [B] of the Laplacian of the luma of pictures [B, 3, S, S]."""
    luma = (x * x.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    kernel = x.new_tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return F.conv2d(luma, kernel).square().mean((1, 2, 3)) + 1e-6
