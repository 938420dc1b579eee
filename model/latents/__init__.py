"""The latents of real dogs: a basis to say where one lies, priors to draw from, and ways to move through them."""

from .basis import Basis, distance_law, numbered, principal_directions
from .chosen import Chosen, approach
from .flow import Field, Flow
from .latents import Latents
from .moves import SEEN_AT, Breeds, Looks, Moves, breed_logits
from .priors import Mixture, Normal, Prior, Source

__all__ = [
    "SEEN_AT",
    "Basis",
    "Breeds",
    "Chosen",
    "Field",
    "Flow",
    "Latents",
    "Looks",
    "Mixture",
    "Moves",
    "Normal",
    "Prior",
    "Source",
    "approach",
    "breed_logits",
    "distance_law",
    "numbered",
    "principal_directions",
]
