"""How a preset is trained: all settings of a run, with their defaults, in one place."""

import math
from dataclasses import asdict, dataclass, replace

from model import PRESETS, Config


@dataclass(frozen=True)
class Recipe:
    """How a preset learns. All horizons count images seen, not steps."""

    batch: int  # images of one update
    lr: float
    betas: tuple[float, float]
    clip: float  # longest gradient: longer ones are shortened to it
    skip: float = math.inf  # a step with a gradient longer than this is skipped, and counted (as in openai/vdvae)
    ema_halflife: int = 10_000
    warmup: int = 5_000  # of the learning rate
    kl_warmup: int = 10_000
    kl: float = 0.002  # price of a nat
    realism_share: float = 0.0  # of all images, the last ones: the second phase, with a discriminator
    realism_lr: float = 1.5e-4
    critic_lr: float = 5e-4
    realism_warmup: int = 2_000  # of the second phase's rate and of the weight of the critic's loss
    critic_alone: int = 5_000  # images of the second phase, at most its first tenth, in which only the critic learns


RECIPES = {
    "dogvae": Recipe(
        batch=16, lr=6e-4, betas=(0.9, 0.99), clip=3.0, skip=60.0, ema_halflife=20_000, realism_share=0.75
    ),
    "classic": Recipe(batch=128, lr=5e-4, betas=(0.9, 0.999), clip=1e9, kl_warmup=0, kl=0.00025),
    "autoencoder": Recipe(batch=128, lr=5e-4, betas=(0.9, 0.999), clip=1e9, kl_warmup=0, kl=0.0),
    # The price at which random numbers from N(0, I) draw dogs: RESULTS.md, "What the price of KL buys".
    "vae": Recipe(batch=64, lr=1e-3, betas=(0.9, 0.999), clip=1e9, kl_warmup=0, kl=30.0),
    "small": Recipe(batch=16, lr=1e-3, betas=(0.9, 0.999), clip=1e9, kl_warmup=0, kl=30.0),
}


PRECISIONS = ("auto", "no", "bf16", "fp16")


@dataclass(frozen=True)
class TrainConfig:
    """One run: `Trainer(TrainConfig(data="heads", out="runs/mine", images=100_000)).train()`.

    Raises ValueError with one plain sentence for what makes no sense.
    """

    data: str  # a folder of pictures, or one with train/ and val/ in it
    out: str  # the run's folder; made if it is not there
    preset: str = "dogvae"
    images: int | None = None  # stop after so many training images ...
    minutes: float | None = None  # ... or after so many minutes; the schedule follows the pace
    aside: str | None = None  # pictures that encoder and decoder learn as well, but not the prior: heads in profile
    frame: str = "eyes"  # how `data` was cut out of photos, by the eyes or by a head's box; stored with the weights
    stream: bool = False  # read `data` as it goes, not into memory
    resume: bool = False  # go on from the checkpoint in `out`
    init_from: str | None = None  # start from the weights in this folder
    kl: float | None = None  # price of a nat; 0 makes a plain autoencoder; None: the preset's
    realism: float | None = None  # share of the images for the second phase; None: the preset's
    batch: int | None = None  # images an update, over all processes; None: the preset's
    accumulate: int = 1  # parts of a process's share of a batch, one after the other
    tick: int = 10_000  # images between checkpoints
    precision: str = "auto"  # "no", "bf16", "fp16" or "auto": bf16 where the hardware computes in it
    seed: int = 0

    def __post_init__(self):
        if self.preset not in RECIPES:
            raise ValueError(f"The preset is one of {', '.join(RECIPES)}, not {self.preset!r}.")
        if self.precision not in PRECISIONS:
            raise ValueError(f"The precision is one of {', '.join(PRECISIONS)}, not {self.precision!r}.")
        check_names(out=self.out, aside=self.aside, init_from=self.init_from)
        for name in ("images", "tick", "batch", "accumulate", "seed"):
            if type(getattr(self, name)) not in (int, type(None)):
                raise ValueError(f"--{name} is a whole number.")
        if (self.images is None) == (self.minutes is None):
            raise ValueError("Say how long to train: either --images or --minutes.")
        length = self.minutes if self.images is None else self.images
        if length is None or not 0 < length < math.inf or self.tick <= 0:
            raise ValueError("--images, --minutes and --tick are above 0.")
        if self.accumulate <= 0 or (self.batch is not None and self.batch <= 0):
            raise ValueError("--batch and --accumulate are above 0.")
        if self.kl is not None and not 0 <= self.kl < math.inf:
            raise ValueError("--kl is a price, 0 or more.")
        if self.realism is not None and not 0 <= self.realism <= 1:
            raise ValueError("--realism is a share from 0 to 1.")
        if not 0 <= self.seed < 2**32:
            raise ValueError("--seed is a whole number from 0 to 4294967295.")
        if self.stream and self.aside:
            raise ValueError("--aside is for pictures in memory; leave out --stream.")

    def resumed(self, facts: dict) -> "TrainConfig":
        """This config where it goes on from a checkpoint: what decides about the samples to come is kept."""
        before = facts.get("training", {})
        kept = {"seed": facts["seed"], "batch": self.batch or facts.get("batch")}
        kept["realism"] = facts.get("realism") if self.realism is None else self.realism
        kept["kl"] = before.get("kl") if self.kl is None else self.kl
        kept["init_from"] = self.init_from or before.get("init_from")
        kept["aside"] = self.aside or (None if self.stream else before.get("aside"))
        return replace(self, **kept)

    def recipe(self) -> Recipe:
        """The preset's recipe with this run's batch, price of a nat and share of the second phase."""
        recipe = scaled(RECIPES[self.preset], self.batch)
        if self.kl is not None:
            recipe = replace(recipe, kl=self.kl)
        if self.realism is not None:
            recipe = replace(recipe, realism_share=self.realism)
        return within(recipe, self.images) if self.images else recipe

    def model_config(self) -> Config:
        """Of the model to train. Where KL costs nothing it is a plain autoencoder, which draws no noise."""
        preset, kl = PRESETS[self.preset], self.recipe().kl
        return replace(preset, frame=self.frame, variational=preset.variational and kl > 0, kl=kl)

    def to_json(self) -> dict:
        return asdict(self)


def check_names(**folders: str | None) -> None:
    """Raises ValueError for an empty name, which would be the current folder. folders: option -> name."""
    for option, folder in folders.items():
        if folder is not None and not str(folder).strip():
            raise ValueError(f"--{option.replace('_', '-')} names no folder.")


def scaled(recipe: Recipe, batch: int | None) -> Recipe:
    """The recipe for another batch: Adam's learning rates grow with its root (Malladi 2022, arXiv:2205.10287), and what
    warms up takes as many steps as before."""
    if not batch:
        return recipe
    times = batch / recipe.batch
    rates = {name: times**0.5 * getattr(recipe, name) for name in ("lr", "realism_lr", "critic_lr")}
    warm = ("warmup", "kl_warmup", "realism_warmup", "critic_alone")
    horizons = {name: round(times * getattr(recipe, name)) for name in warm}
    return replace(recipe, batch=batch, **rates, **horizons)


def within(recipe: Recipe, images: int) -> Recipe:
    """The recipe for a run of so many images: rates warm up within a tenth of their phase, the price of KL within half
    of the first."""
    second = recipe.realism_share * images
    first = images - second
    return replace(
        recipe,
        warmup=max(1, min(recipe.warmup, round(first / 10))),
        kl_warmup=min(recipe.kl_warmup, round(first / 2)),
        realism_warmup=max(1, min(recipe.realism_warmup, round(second / 10))),
    )
