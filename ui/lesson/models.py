"""The models of the lesson: each is read when the first visitor needs it, for most visitors never open the tab."""

import json
from functools import cached_property
from pathlib import Path

from model import load
from model.cloud import Cloud
from model.gan import GanRun

from ..studio import Studio

WEIGHTS = Path(__file__).parents[2] / "weights"
# The same small network at several prices of KL (`--preset small --kl PRICE`): the folder "small-0" is an autoencoder.
AUTOENCODER, SEED, CHOSEN = "small-0", "small-0.00025", "small-30"


class Room:
    """A small model, and where dogs lie in its latent space."""

    def __init__(self, name: str):
        self.name, self.studio = name, Studio(load(WEIGHTS / name))
        self.cloud = Cloud.load(WEIGHTS / name, self.studio.latents)
        measured = json.loads((WEIGHTS / name / "metrics.json").read_text(encoding="utf-8"))
        self.price = self.studio.vae.config.kl or 0.0
        self.likeness = measured["reconstructions"]["psnr"]  # dB, of held-out dogs
        # The share of random draws in which a network that it was not trained with sees a dog. (KID would not do: it
        # counts blur as worse than rubbish.)
        self.dogs = measured["samples"]["normal"]["1.0"]["dog_rate"]


class Models:
    """dogvae: the model that the pad draws with, whatever weights are served."""

    def __init__(self, dogvae: Studio):
        self.dogvae = dogvae
        self.rooms: dict[str, Room] = {}

    @cached_property
    def seeds_own(self) -> Studio:
        """The network of the first version as an autoencoder, at its own 127 pixels."""
        return Studio(load(WEIGHTS / "autoencoder"))

    @cached_property
    def gan(self) -> GanRun:
        return GanRun.load(WEIGHTS / "gan")

    def room(self, name: str) -> Room:
        if name not in self.rooms:
            self.rooms[name] = Room(name)
        return self.rooms[name]


def prices() -> list[str]:
    """The names of the small models, by rising price."""
    return sorted((folder.name for folder in WEIGHTS.glob("small-*")), key=lambda name: float(name.partition("-")[2]))
