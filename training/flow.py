"""Fit the prior that flows: teach a small network which way noise goes to become the latents of real dogs.

Between a draw of noise and a real dog lies a straight line. At a random point of it, the network is asked for the
line's direction; as it can't know which line it is on, it learns the mean of all that pass (flow matching: Lipman et
al. 2023, arXiv:2210.02747). To follow these means from noise to the end draws from the law of the real dogs.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor
from tqdm import trange

from model.latents import Basis, Field, Flow
from model.vae import reparametrize

from .schedule import update_ema

ENOUGH = 2000  # latents; of fewer, a few Gaussians are all that can be learned
WIDEST = 64  # directions; with these as in real dogs and the others shuffled, KID was as low as with all of them real
WIDTH, DEPTH = 192, 3
STEPS, BATCH, LR, HALFLIFE = 12_000, 512, 2e-3, 350_000  # the half-life in latents seen
# What keeps it from learning the training dogs by heart: each time it sees a dog with other noise, half of what the
# encoder is unsure by. An autoencoder is never unsure; then weights are dropped, which does less.
NOISE, DROPOUT = 0.5, 0.1


def fit_flow(basis: Basis, mu: Tensor, logvar: Tensor | None, progress: bool = False) -> Flow:
    """mu, logvar [..., D], the latents of the training pictures and of their mirror images -> the flow that draws such.

    logvar: None for an autoencoder.
    """
    mu, logvar = mu.flatten(0, -2), None if logvar is None else logvar.flatten(0, -2)
    variance, noise = basis.coordinates(mu).var(0), torch.zeros(basis.dim)
    if logvar is not None:
        noise = NOISE**2 * (logvar.exp().mean(0) @ basis.directions.square().T) / basis.sd.square()
    alive = int((noise < variance).sum())  # directions along which dogs differ by more than the noise
    wide = basis.widest(max(1, min(WIDEST, alive)))
    variance[wide] += noise[wide]
    sd = variance.sqrt().clamp_min(1e-6)

    def some() -> Tensor:
        i = torch.randint(len(mu), (BATCH,))
        z = mu[i] if logvar is None else reparametrize(mu[i], logvar[i], NOISE * torch.randn(BATCH, basis.dim))
        return (basis.coordinates(z) / sd)[:, wide]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        field = Field(len(wide), WIDTH, DEPTH, DROPOUT if logvar is None else 0.0)
        return Flow.of(basis, sd, learn(field, some, progress))


def learn(field: Field, some: Callable[[], Tensor], progress: bool = False) -> dict[str, Tensor]:
    """The averaged weights of a field that has learned to carry noise to where `some` points [BATCH, P] lie, of
    standard deviation 1. Draws from the global generator."""
    ema = copy.deepcopy(field)
    optimizer = torch.optim.AdamW(field.parameters(), LR, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, STEPS, pct_start=0.02)
    for step in trange(STEPS, desc="learning where dogs lie", unit=" steps", leave=False, disable=not progress):
        loss = matching_loss(field, some())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(field.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        update_ema(ema, field, HALFLIFE, (step + 1) * BATCH, BATCH)
    return dict(ema.state_dict())


def matching_loss(field: Field, x: Tensor) -> Tensor:
    """How far the field is from the directions of lines from noise to x [B, P], each at a random point: mean square."""
    eps, t = torch.randn_like(x), torch.rand(len(x))
    return (field(torch.lerp(eps, x, t[:, None]), t) - (x - eps)).square().mean()
