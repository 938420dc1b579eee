"""DogVAE at inference: `from model import load`."""

from .images import PhotoError, open_photo
from .latent import Latents
from .pretrained import WeightsError, load
from .vae import PRESETS, Config, DogVAE

__all__ = ["PRESETS", "Config", "DogVAE", "Latents", "PhotoError", "WeightsError", "load", "open_photo"]
