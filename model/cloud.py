"""Where real dogs lie in a model's latent space, seen along two directions: what the page's lesson draws.

Of real dogs only these two numbers each are stored, from which no picture can be had.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from .files import write_whole
from .latents import Basis


@dataclass(frozen=True)
class Cloud:
    """directions [2, D], orthonormal: along the first dogs differ most, along the second as along the middle one of
    all. points [N, 2]: how far each of N dogs lies along them from zero, round which the bell curve draws.
    """

    directions: Tensor
    points: Tensor

    def place(self, z: Tensor) -> Tensor:
        """Latents [B, D] -> where they lie [B, 2]."""
        return z @ self.directions.T

    @classmethod
    def of(cls, basis: Basis, z: Tensor) -> "Cloud":
        """z [N, D]: a draw for each dog."""
        directions = seen_along(basis)
        return cls(directions, z @ directions.T)

    def save(self, folder: Path) -> None:
        write_whole(folder / "cloud.safetensors", to_bytes({"points": self.points.half().contiguous()}))

    @classmethod
    def load(cls, folder: Path, basis: Basis) -> "Cloud":
        """The inverse of `save`. basis: of the same weights."""
        return cls(seen_along(basis), load_file(folder / "cloud.safetensors")["points"].float())


def seen_along(basis: Basis) -> Tensor:
    order = basis.widest(basis.dim)
    return basis.directions[torch.stack([order[0], order[basis.dim // 2]])]
