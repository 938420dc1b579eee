"""A wall of random dogs to choose from: what the page asks, and what it is answered."""

import torch
from pydantic import Field
from torch import Tensor

from .protocol import Pictures, Random, Whole
from .studio import Studio

MAX_WALL = 12


class Wall(Random):
    seeds: list[Whole] = Field(
        min_length=1, max_length=MAX_WALL, description=f"A wall is of 1 to {MAX_WALL} dogs, each with a seed."
    )


class Walled(Pictures):
    """dogs: the coordinates of each along the directions."""

    dogs: list[list[float]]


def random_dogs(studio: Studio, wall: Wall) -> tuple[Tensor, list[list[float]]]:
    """The latents [n, D] of the dogs on a wall, and their coordinates as they are sent. Raises LatentError."""
    z = torch.stack([studio.random(seed, wall.temperature, wall.keep or ()) for seed in wall.seeds])
    return z, [[round(v, 3) for v in c] for c in studio.latents.coordinates(z).tolist()]
