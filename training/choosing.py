"""Fit the prior that chooses: learn to foretell from z how usual its picture will be, and which dog is most usual.

What is usual is said by the model itself. A draw is decoded and encoded again: a whole dog comes back near real dogs'
latents, a malformed one farther out. (On 40 random dogs of version 0.1, sorted by eye beforehand, that distance told
the malformed from the others with an AUC of 0.82.) Decoding every candidate would cost a hundred times a draw, so the
distance is regressed on the coordinates and their squares.
"""

from dataclasses import replace

import torch
from torch import Tensor
from tqdm import tqdm

from model import DogVAE
from model.latents import Basis, Chosen, Source, approach

DRAWS = 6000  # to learn from; of 1,500, 3,000 and 6,000 the rank correlation was 0.67, 0.74 and 0.78
COOLEST, WARMEST = 0.4, 1.4  # their temperatures
HOMES = 256  # draws at temperature 1, of which the most usual one is home
USUAL = 0.95  # a candidate is taken that is foretold to be no odder than this share of real dogs are
RIDGE = 300.0  # any from 10 to 1,000 does as well
HELD_OUT = 8  # one draw in so many is kept from the regression, to say how well it foretells
BATCH = 16


def fit_chosen(vae: DogVAE, source: Source, mu: Tensor, progress: bool = True) -> tuple[Chosen, float]:
    """mu [..., D], the latents of the training pictures -> the prior, and how well it foretells.

    That is: the rank correlation of promise and truth on draws that were held out.
    """
    basis, mu = source.basis, mu.flatten(0, -2)
    count = min(DRAWS, 4 * len(mu))  # few pictures say little about what is usual
    ordinary = source.coordinates(min(HOMES, count), seed=0)
    home = ordinary[usualness(vae, basis, ordinary, "looking for home", progress).argmax()]
    c = draws(source, home, count)
    truth = usualness(vae, basis, c, "drawing to learn what comes out well", progress).double()
    slopes, bends, level = regress(c, truth)
    anything = Chosen(source, home, slopes, bends, level, torch.tensor(-torch.inf))
    floor = anything.promise(basis.coordinates(mu)).quantile(1 - USUAL).float()
    chosen = replace(anything, floor=floor)
    test = torch.arange(count) % HELD_OUT == 0
    return chosen, rank_correlation(chosen.promise(c[test]), truth[test])


def draws(source: Source, home: Tensor, count: int) -> Tensor:
    """Coordinates [count, D] of candidates at temperatures from COOLEST to WARMEST."""
    rungs = torch.linspace(COOLEST, WARMEST, 32).tolist()
    each = -(-count // len(rungs))
    c = torch.stack([approach(source, home, each, t, seed=i + 1) for i, t in enumerate(rungs)], dim=1)
    return c.flatten(0, 1)[:count].float()


def unusual(c: Tensor) -> Tensor:
    """Coordinates [N, D] -> the logarithm of the squared distance from the mean dog [N] (`Basis.distance`)."""
    return c.square().sum(1).clamp_min(1e-12).log()


def usualness(vae: DogVAE, basis: Basis, c: Tensor, doing: str, progress: bool) -> Tensor:
    """Coordinates [N, D] -> of the picture that each draws, encoded again: minus how unusual it is [N]."""
    batches = tqdm(c.split(BATCH), doing, unit=" batches", leave=False, disable=not progress)
    seen = [vae.encode(vae.decode(basis.from_coordinates(batch)))[0].cpu() for batch in batches]
    return -unusual(basis.coordinates(torch.cat(seen)))


def regress(c: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ridge regression of truth [N] on coordinates [N, D] and their squares, without the held-out draws.

    Returns slopes [D], bends [D] and level [], float32 (`Chosen`).
    """
    kept = torch.arange(len(c)) % HELD_OUT != 0
    x = torch.cat([c, c.square() - 1], dim=1).double()[kept]
    y = truth.double()[kept]
    centre, level = x.mean(0), y.mean()
    x = x - centre
    weights = torch.linalg.solve(x.T @ x + RIDGE * torch.eye(x.shape[1], dtype=x.dtype), x.T @ (y - level))
    slopes, bends = weights.float().chunk(2)
    return slopes, bends, (level - centre @ weights).float()


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's, of two lists [N]; 0 where all are equal."""
    ranks = torch.stack([t.argsort().argsort().double() for t in (a, b)])
    return torch.nan_to_num(torch.corrcoef(ranks))[0, 1].item()
