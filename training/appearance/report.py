"""What training.looks shows of its work: a table of how faithful each Look is, and sheets to look at."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from model import DogVAE
from model.latents import Breeds, Looks

from ..pictures import save_grid
from .draws import Eye
from .fit import REACH, SEED, TRIED, own_and_most

DOGS, SIDE = 10, 128  # a sheet: so many dogs, each of so many pixels
TOWARD, SCARCE = 3.0, 2  # how far dogs are moved toward each breed, and how many


def table(looks: Looks, change: Tensor, shown: list[int], count: int) -> str:
    """Markdown. change [K, K]: as `fit.changes` returns it."""
    own, most, other = own_and_most(change)
    lines = [
        f"Each Look moved from -{REACH:g} to {REACH:g} on {TRIED} dogs, the background kept; fitted to {count:,} "
        "draws. In standard deviations of random dogs:",
        "",
        "| Look | from - to | its own measure | largest change of any other | shown |",
        "| --- | --- | ---: | --- | --- |",
    ]
    for k, (name, (low, high)) in enumerate(zip(looks.names, looks.ends)):
        verdict, moved = "yes" if k in shown else "no", looks.names[other[k]]
        lines.append(f"| {name} | {low} - {high} | {own[k]:.2f} | {most[k]:.2f} ({moved}) | {verdict} |")
    return "\n".join(lines)


def breeds_in_words(vae: DogVAE, eye: Eye, breeds: Breeds) -> str:
    """How well lite0 sees each breed in its example, and in random dogs that are moved toward it: Markdown."""
    own = torch.arange(len(breeds.names))
    examples = eye.draw(breeds.examples, "examples").breeds
    dogs = vae.latents.sample(SCARCE, seed=SEED - 2)
    moved = dogs[:, None] + TOWARD * breeds.kept
    seen = eye.draw(moved.flatten(0, 1), "toward breeds").breeds
    first, five = (_among(examples, own, count) for count in (1, 5))
    first_moved, five_moved = (_among(seen, own.repeat(SCARCE), count) for count in (1, 5))
    return (
        f"Of {len(own)} breeds, lite0 sees {first:.0%} first in their example, and {five:.0%} among the first five. "
        f"In {SCARCE} random dogs moved {TOWARD:g} toward each: {first_moved:.0%} and {five_moved:.0%}."
    )


def _among(logits: Tensor, own: Tensor, count: int) -> float:
    """The share of pictures whose own breed is among the first so many."""
    return (logits.topk(count, dim=1).indices == own[:, None]).any(1).float().mean().item()


def save_sheets(vae: DogVAE, eye: Eye, looks: Looks, breeds: Breeds, folder: Path) -> None:
    """FOLDER/LOOK.png: ten dogs (seed 0), above each its low end, below its high end; FOLDER/breeds.png: examples."""
    dogs = vae.latents.sample(DOGS, seed=0)
    middle = small(eye, dogs)
    for name, way in zip(tqdm(looks.names, "sheets", leave=False), looks.kept):
        low, high = (small(eye, dogs + end * way) for end in (-REACH, REACH))
        save_grid([low, middle, high], folder / f"{name.replace(' ', '-')}.png")
    rows = small(eye, breeds.examples).split(12)
    short = 12 - len(rows[-1])
    last = torch.cat([rows[-1], torch.ones(short, 3, SIDE, SIDE)])
    save_grid([*rows[:-1], last], folder / "breeds.png")


def small(eye: Eye, z: Tensor) -> Tensor:
    """The pictures [N, 3, SIDE, SIDE] of latents [N, D]."""
    pictures = [F.interpolate(eye.decode(piece).cpu(), size=SIDE, mode="area") for piece in z.split(8)]
    return torch.cat(pictures)
