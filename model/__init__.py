"""DogVAE at inference: `from model import load`."""

from .crop import Crop
from .finder import DogFinder, Head, NoDogError
from .latents import Latents
from .photos import PhotoError, open_photo
from .pretrained import WeightsError, load
from .vae import PRESETS, Config, DogVAE
from .vae import VERSION as __version__

__all__ = [
    "__version__",
    "PRESETS",
    "Config",
    "Crop",
    "DogFinder",
    "DogVAE",
    "Head",
    "Latents",
    "NoDogError",
    "PhotoError",
    "WeightsError",
    "load",
    "open_photo",
]
