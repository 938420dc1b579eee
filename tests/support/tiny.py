"""Tiny networks, dogs drawn by code, and training on them.

`python -m tests.support.tiny ...` is `python -m training.train ...` with the tiny presets added. With STEP_SECONDS=0.5
in the environment, a step counts as half a second for --minutes, however long this machine takes.
"""

import itertools
import math
import os
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from model import PRESETS, Config, DogVAE, Latents
from model.latents import Basis, Chosen, Field, Flow, Mixture, numbered
from model.pixels import to_tensor
from training import trainer
from training.config import RECIPES, Recipe
from training.train import main

ROOT = Path(__file__).parents[2]
WIDTHS = (16, 16, 16, 16, 16)
SIZES = {"image_size": 32, "encoder_size": 32, "latent_dim": 16, "encoder_width": 16}
TINY = Config("tiny", **SIZES, decoder_widths=WIDTHS, decoder_blocks=(1,) * 5, draws_half=False)
# Like dogvae: the encoder reads the picture at half its size; the decoder draws half the size, then the whole.
LARGE = Config(
    "large", **SIZES | {"image_size": 64}, decoder_widths=(*WIDTHS, 16), decoder_blocks=(1, 1, 1, 1, 1, 0)
)
TINY_PRESETS = {
    "tiny": TINY,
    "large": LARGE,
    "tiny-classic": replace(PRESETS["small"], preset="tiny-classic", latent_dim=8),
    "tiny-autoencoder": replace(PRESETS["small"], preset="tiny-autoencoder", latent_dim=8, variational=False),
}
HORIZONS = {"ema_halflife": 50, "warmup": 32, "kl_warmup": 32, "realism_warmup": 32}
TINY_RECIPE = Recipe(batch=8, lr=3e-3, betas=(0.9, 0.99), clip=3.0, **HORIZONS)


def draw_dog(seed: int, size: int = 64) -> Image.Image:
    """A head with ears, eyes and a nose, so that a network has something to learn."""
    rng = random.Random(seed)
    picture = Image.new("RGB", (size, size), tuple(rng.randrange(256) for _ in range(3)))
    pen, u = ImageDraw.Draw(picture), size / 16
    coat = tuple(rng.randrange(40, 230) for _ in range(3))
    dx, drop = rng.uniform(-2, 2) * u, rng.uniform(2, 7) * u
    for x in (2, 11):
        pen.ellipse((x * u + dx, 2 * u, (x + 3) * u + dx, 2 * u + drop), fill=tuple(c // 2 for c in coat))
    pen.ellipse((3 * u + dx, 3 * u, 13 * u + dx, 14 * u), fill=coat)
    for x in (5, 9):
        pen.ellipse((x * u + dx, 6 * u, (x + 1.5) * u + dx, 7.5 * u), fill="black")
    pen.ellipse((7 * u + dx, 9 * u, 9 * u + dx, 11 * u), fill="black")
    return picture


def draw_folder(folder: Path, count: int, first: int = 0, size: int = 64) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        draw_dog(i, size).save(folder / f"dog{i:03d}.{'png' if i % 2 else 'jpg'}")
    return folder


def drawn_batch(count: int, size: int) -> Tensor:
    """[count, 3, size, size] in [-1, 1]"""
    return torch.stack([to_tensor(draw_dog(i), size) for i in range(count)])


def tiny_vae(config: Config = TINY, seed: int = 0) -> DogVAE:
    """An untrained model. Weights that start at zero get noise; otherwise new residual blocks would be identities."""
    torch.manual_seed(seed)
    vae = DogVAE(config).eval()
    with torch.no_grad():
        for parameter in vae.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
    return vae


def some_latents(dim: int = 16, seed: int = 0) -> Latents:
    generator = torch.Generator().manual_seed(seed)
    mean, effect, kl = (torch.randn(dim, generator=generator) for _ in range(3))
    directions = torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q
    sd = torch.rand(dim, generator=generator) + 0.5
    basis = Basis(mean, directions, sd, effect, kl.abs(), numbered(dim), (math.log(dim), 0.5))
    return Latents.of(basis, mixture=some_mixture(basis))


def some_mixture(basis: Basis) -> Mixture:
    """Two Gaussians that lie apart along the first direction. Together they have mean 0 and covariance I."""
    widest = min(8, basis.dim)
    apart = torch.zeros(2, widest)
    apart[0, 0], apart[1, 0] = 0.9, -0.9
    factors = torch.eye(widest).repeat(2, 1, 1)
    factors[:, 0, 0] = (1 - 0.9**2) ** 0.5
    return Mixture(basis, torch.tensor([0.5, 0.5]), apart, factors)


def choosy(floor: float, dim: int = 16, flows: bool = False) -> Latents:
    """A prior that predicts good dogs if the first coordinate is large, and accepts predictions of at least `floor`.

    It chooses from a mixture, or from a flow.
    """
    latents = some_latents(dim)
    priors = {"mixture": latents.priors["mixture"]} | ({"flow": some_flow(latents)} if flows else {})
    slopes, home = torch.zeros(dim), torch.full((dim,), 0.5)
    slopes[0] = 1
    source = list(priors.values())[-1]
    chosen = Chosen(source, home, slopes, torch.zeros(dim), torch.zeros(()), torch.tensor(floor))
    return Latents.of(latents, **priors, chosen=chosen)


def some_flow(basis: Basis) -> Flow:
    """As large as a fitted one. Its field knows nothing, but carries noise about."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Flow.of(basis, torch.linspace(1.2, 0.8, basis.dim), Field(min(64, basis.dim), 192, 3).state_dict())


if __name__ == "__main__":
    PRESETS.update(TINY_PRESETS)
    RECIPES.update(dict.fromkeys(TINY_PRESETS, TINY_RECIPE))
    if step := os.environ.get("STEP_SECONDS"):
        trainer.time = SimpleNamespace(monotonic=itertools.count(0.0, float(step)).__next__)  # type: ignore
    main()
