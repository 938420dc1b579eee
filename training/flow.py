"""Fit the prior that flows: teach a small network which way noise goes to become the latents of real dogs.

Between a draw of noise and a real dog lies a straight line. At a random point of it, the network is asked for the
line's direction; as it can't know which line it is on, it learns the mean of all that pass (flow matching: Lipman et
al. 2023, arXiv:2210.02747). To follow these means from noise to the end draws from the law of the real dogs.
"""

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import trange

from model.latents import Basis, Field, Flow

ENOUGH = 2000  # latents; of fewer, a few Gaussians are all that can be learned
WIDEST = 64  # directions; with these as in real dogs and the others shuffled, KID was 173, with all of them real 157
WIDTH, DEPTH, DROPOUT = 192, 3, 0.1
STEPS, BATCH, LR, EMA = 12_000, 512, 2e-3, 0.999


def fit_flow(basis: Basis, mu: Tensor, progress: bool = False) -> Flow:
    """mu [..., D], the latents of the training pictures and of their mirror images -> the flow that draws such."""
    c = basis.coordinates(mu.flatten(0, -2))
    wide, sd = basis.widest(min(WIDEST, basis.dim)), c.std(0).clamp_min(1e-6)
    return Flow.of(basis, sd, learn_field(c[:, wide] / sd[wide], progress))


def learn_field(x: Tensor, progress: bool = False) -> dict[str, Tensor]:
    """Points [N, P] of standard deviation 1 -> the weights of a `Field` that carries noise to where they lie."""
    with torch.random.fork_rng(devices=[]):  # dropout draws from the global generator
        torch.manual_seed(0)
        field = Field(x.shape[1], WIDTH, DEPTH, DROPOUT)
        average = AveragedModel(field, multi_avg_fn=get_ema_multi_avg_fn(EMA))
        optimizer = torch.optim.AdamW(field.parameters(), LR, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, STEPS, pct_start=0.02)
        for _ in trange(STEPS, desc="learning where dogs lie", unit=" steps", leave=False, disable=not progress):
            loss = matching_loss(field, x[torch.randint(len(x), (BATCH,))])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(field.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(field)
    return dict(average.module.state_dict())


def matching_loss(field: Field, x: Tensor) -> Tensor:
    """How far the field is from the directions of lines from noise to x [B, P], each at a random point: mean square."""
    eps, t = torch.randn_like(x), torch.rand(len(x))
    return (field(torch.lerp(eps, x, t[:, None]), t) - (x - eps)).square().mean()
