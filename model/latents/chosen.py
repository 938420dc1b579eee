"""A prior that chooses: of each dog's own candidates the first that promises to come out well.

Some draws of any prior lie where the decoder was never asked for a picture, and come out malformed. Such pictures,
encoded again, lie farther from the mean dog than photos do. How far can be foretold from z without decoding, and
well enough by a quadratic: a linear function of the coordinates and of their squares (training/choosing.py fits it).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .basis import Basis
from .priors import Source

TRIES = 8  # candidates of a dog; where none is good enough, the best of them is taken
NEXT_SEED = 6_364_136_223_846  # from the seed of a candidate to that of the next: far, so that near seeds share none


@dataclass(frozen=True)
class Chosen:
    """Draws from another prior and rejects what is foretold to be odder than most photos.

    home [D], in coordinates: one ordinary dog, which all draws approach as the temperature falls to 0.
    slopes [D], bends [D] and level []: promise(c) = level + slopes . c + bends . (c^2 - 1).
    floor []: the promise from which a candidate is taken.
    """

    source: Source
    home: Tensor
    slopes: Tensor
    bends: Tensor
    level: Tensor
    floor: Tensor

    def draw(self, n: int, temperature: float, seed: int) -> Tensor:
        best = torch.full((n,), -torch.inf, dtype=torch.float64)
        chosen = torch.zeros(n, self.source.basis.dim, dtype=torch.float64)
        left = torch.arange(n)  # the dogs that no candidate was good enough for
        for k in range(TRIES):
            c = approach(self.source, self.home, n, temperature, (seed + k * NEXT_SEED) % 2**53, left)
            promise = self.promise(c)
            better = promise > best[left]
            best[left[better]], chosen[left[better]] = promise[better], c[better]
            left = left[best[left] < self.floor]
            if not len(left):
                break
        return self.source.basis.from_coordinates(chosen.float())

    def promise(self, c: Tensor) -> Tensor:
        """Coordinates [N, D] -> how usual their pictures are foretold to be [N].

        In float64, so that no machine, number of threads or number of dogs decides otherwise.
        """
        c = c.double()
        return self.level + (self.slopes * c + self.bends * (c.square() - 1)).sum(1)

    def tensors(self) -> dict[str, Tensor]:
        return {key: getattr(self, key) for key in ("home", "slopes", "bends", "level", "floor")}

    @classmethod
    def from_file(cls, basis: Basis, tensors: dict[str, Tensor], source: Source) -> "Chosen":
        """Raises ValueError or TypeError for tensors that do not fit."""
        chosen = cls(source, **tensors)
        shapes = {key: (basis.dim,) if key in ("home", "slopes", "bends") else () for key in tensors}
        if any(tensors[key].shape != shape for key, shape in shapes.items()):
            raise ValueError("a choice whose parts do not fit each other")
        return chosen


def approach(source: Source, home: Tensor, n: int, temperature: float, seed: int, rows: Tensor | None = None) -> Tensor:
    """Candidates [n, D], or of n only the rows [m] of these indices [m, D], float64, in coordinates.

    At temperature 1 and above they are the source's, at 0 the dog at home.

    In between they shrink toward the mean, and near it, where the decoder would draw a jumble of all dogs, they turn
    home: by half at temperature 0.3, by a tenth at 0.7, so that there are still dogs of all kinds.
    """
    c = temperature * source.coordinates(n, seed, torch.float64, rows)
    return c + max(0.0, 1 - temperature) ** 2 * home.double()
