"""The latents of real dogs: a basis to say where one lies, and priors to draw from."""

from .basis import Basis, distance_law, numbered, principal_directions
from .chosen import Chosen, approach
from .latents import Latents
from .priors import Mixture, Normal, Prior

__all__ = [
    "Basis",
    "Chosen",
    "Latents",
    "Mixture",
    "Normal",
    "Prior",
    "approach",
    "distance_law",
    "numbered",
    "principal_directions",
]
