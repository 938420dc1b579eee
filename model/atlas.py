"""A map of dogs: draws from the prior, laid out so that dogs which look alike are neighbours.

No photo is needed: the dogs are those of the seeds from 0 on. Any point between them is a dog, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 12  # dogs a row, and rows
STEP = 50  # rounds of sorting


@dataclass
class Atlas:
    """c [side * side, D]: the coordinates (`Latents.coordinates`) of the dogs on the map, row by row."""

    c: Tensor
    side: int = SIDE

    def at(self, x: float, y: float) -> Tensor:
        """The coordinates [D] of the dog at x, y, each 0..1 from the top left: exactly a dog of the map in the
        middle of its cell, elsewhere a mixture of the four around it.

        A mixture is shorter than its parts, and short vectors are pale average dogs; so it is given their length.
        """
        column, row = (min(max(v * self.side - 0.5, 0), self.side - 1) for v in (x, y))
        left, top = (min(int(v), self.side - 2) for v in (column, row))
        right, below = column - left, row - top
        weights = torch.tensor(
            [(1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right], dtype=torch.float32
        )
        first = top * self.side + left
        corners = self.c[[first, first + 1, first + self.side, first + self.side + 1]]
        mixed = weights @ corners
        return mixed * (weights @ corners.norm(dim=1)) / mixed.norm().clamp_min(1e-6)


def looks(pictures: Tensor) -> Tensor:
    """Pictures [N, 3, S, S] -> what counts as looking alike [N, 108]: the colours in the middle, in 6 x 6 patches."""
    edge = pictures.shape[-1] // 5  # beyond it there is mostly background
    return F.adaptive_avg_pool2d(pictures[..., edge:-edge, edge:-edge].float(), 6).flatten(1)


def sorting(features: Tensor, side: int = SIDE, rounds: int = 1000) -> Iterator[Tensor]:
    """features [side * side, F] -> the order [side * side] in which they fill a grid row by row, neighbours alike.

    It comes step by step, each STEP rounds better than the one before, so that other work can be done meanwhile.

    From their two principal components, pairs are swapped wherever both then fit the mean of their
    neighbourhood better, which shrinks as the rounds pass (self-sorting map: Strong & Gong 2014).
    """
    n = side * side
    centred = features - features.mean(dim=0)
    across, down = torch.linalg.svd(centred, full_matrices=False).U[:, :2].T
    columns = across.argsort().view(side, side)  # each row of this is one column of the map
    order = torch.stack([column[down[column].argsort()] for column in columns], dim=1).flatten()
    generator = torch.Generator().manual_seed(0)
    for i in range(rounds):
        radius = 1 + round((side / 3) * (1 - i / rounds))
        grid = centred[order].T.reshape(1, -1, side, side)
        around = F.avg_pool2d(grid, 2 * radius + 1, 1, radius, count_include_pad=False)[0].flatten(1).T  # [n, F]
        around = around - centred[order] / (2 * radius + 1) ** 2  # a dog is not its own neighbour
        a, b = torch.randperm(n, generator=generator)[: n // 2 * 2].view(2, -1)
        dogs_a, dogs_b = centred[order[a]], centred[order[b]]
        # |p - t|^2 summed, swapped against staying: all but the products cancel.
        better = ((dogs_a - dogs_b) * (around[b] - around[a])).sum(dim=1) > 0
        a, b = a[better], b[better]
        order[a], order[b] = order[b].clone(), order[a].clone()
        if i % STEP == STEP - 1 or i == rounds - 1:
            yield order.clone()
