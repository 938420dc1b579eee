"""One training run: its recipe, what it holds, a step, and what it leaves behind at a tick."""

import argparse
import copy
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from model import PRESETS, DogVAE
from model.files import write_whole
from model.pretrained import cpu_has_bfloat16, read, save

from .checkpoint import NAME, CheckpointError, load_checkpoint, read_facts, save_checkpoint
from .data import Samples, load_splits
from .discriminator import Critic, image_gradient
from .features import load_lite0
from .fit import fit_latents
from .losses import ClassicLoss, PerceptualLoss
from .pictures import save_grid

MAX_BAD_STEPS = 20  # in a row with a loss or gradient that is not finite


class TrainingError(RuntimeError):
    """Training can't go on; its text is one plain sentence."""


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained. All horizons count images seen, not steps."""

    batch: int
    lr: float
    betas: tuple[float, float]
    clip: float  # of the gradient's norm
    ema_halflife: int = 10_000
    warmup: int = 5_000  # of the learning rate
    kl_warmup: int = 10_000
    realism_share: float = 0.0  # of all images, the last ones: the second phase, with a discriminator
    realism_weight: float = 0.5  # length of its gradient, as a share of that of the likeness
    realism_lr: float = 2e-4
    realism_warmup: int = 2_000  # of that rate and of the weight


RECIPES = {
    "dogvae": Recipe(batch=16, lr=6e-4, betas=(0.9, 0.99), clip=3.0),
    "classic": Recipe(batch=128, lr=5e-4, betas=(0.9, 0.999), clip=1e9, kl_warmup=0),
    "autoencoder": Recipe(batch=128, lr=5e-4, betas=(0.9, 0.999), clip=1e9, kl_warmup=0),
}


def learning_rate(peak: float, warmup: int, images: int, total: float) -> float:
    """A linear warm-up, then half a cosine down to zero at `total` images."""
    warm = min(1.0, (images + 1) / warmup)
    return peak * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, images / max(total, 1))))


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, halflife: int, images: int, batch: int) -> None:
    """A half-life in images, shorter while the run is young (as in NVlabs/edm2); buffers are copied."""
    decay = 0.5 ** (batch / min(halflife, max(images * 0.1, 1)))
    ours = [p for p in ema.parameters()]
    theirs = [p for p in model.parameters()]
    trained = [i for i, p in enumerate(theirs) if p.requires_grad]
    torch._foreach_lerp_([ours[i] for i in trained], [theirs[i] for i in trained], 1 - decay)
    for own, other in zip(ema.buffers(), model.buffers()):
        own.copy_(other)


class Run:
    """One training run: what it holds, a step, a tick."""

    def __init__(self, args: argparse.Namespace):
        # Initialize.
        self.args, self.out = args, Path(args.out)
        precision = args.precision
        if precision == "auto":
            precision = "bf16" if torch.cuda.is_available() or cpu_has_bfloat16() else "no"
        if precision == "fp16" and not torch.cuda.is_available():
            raise TrainingError("--precision fp16 needs a GPU; leave it out here.")
        self.accelerator = Accelerator(mixed_precision=precision)
        self.config, self.recipe = PRESETS[args.preset], RECIPES[args.preset]
        facts = read_facts(self.out) if args.resume else None
        if facts and facts["config"] != json.loads(json.dumps(self.config.to_json())):
            raise CheckpointError(f"The checkpoint in {self.out} is of another config; train into another --out.")
        if not facts and (self.out / NAME).exists():
            raise CheckpointError(f"{self.out} holds a run; go on with it by --resume, or train into another --out.")
        if args.realism is None and facts:
            args.realism = facts.get("realism")
        if args.realism is not None:
            if self.config.network != "residual" and args.realism:
                raise TrainingError(f"The preset {args.preset} has no second phase; leave out --realism.")
            self.recipe = replace(self.recipe, realism_share=args.realism)
        self.images, self.minutes, self.skipped_steps, self.bad_in_a_row = 0, 0.0, 0, 0
        self.stopping = False
        if self.accelerator.num_processes > 1 and (args.minutes or self.recipe.realism_share):
            raise TrainingError("Several processes train with --images and without --realism only, so far.")

        self.seed = facts["seed"] if facts else args.seed  # the samples to come follow from it

        # Load dataset.
        self.train, self.val = load_splits(args.data, self.config.image_size, self.accelerator.is_main_process)
        self.samples = Samples(self.train, self.config.latent_dim, self.seed)

        # Build the model, its average, its loss.
        torch.manual_seed(self.seed)
        vae = self._start(args.init_from)
        self.loss: nn.Module = ClassicLoss()
        if self.config.network == "residual":
            trunk = load_lite0()
            if not args.init_from:
                vae.encoder.trunk.load_state_dict(trunk.state_dict())
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            self.loss = PerceptualLoss(trunk.to(self.accelerator.device, dtype, memory_format=torch.channels_last))
        vae = vae.to(self.accelerator.device, memory_format=torch.channels_last)
        self.ema = copy.deepcopy(vae).eval().requires_grad_(False)
        trained = [p for p in vae.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.recipe.lr, betas=self.recipe.betas, weight_decay=0, fused=True)
        self.vae, self.optimizer = self.accelerator.prepare(vae, optimizer)
        self.critic: Critic | None = None  # there is one in the second phase
        self.second_from = facts.get("second_from") if facts else None  # images at which that phase began
        if self.second_from is not None:
            self._begin_second_phase()
        if facts:
            load_checkpoint(self.out, *self._state())
            self.images, self.minutes = facts["images"], facts["minutes"]
            self.skipped_steps, self.total = facts["skipped_steps"], facts["total"]
        else:
            self.total = self.recipe.warmup * 20  # --minutes: put right after each step
        self.total = args.images or self.total
        if self.critic:
            self._fit_prior()
        self._trim_log()

    def _start(self, init_from: str | None) -> DogVAE:
        if not init_from:
            return DogVAE(self.config)
        vae = read(init_from)
        if vae.config != self.config:
            raise CheckpointError(f"The weights in {init_from} are of another config than preset {self.args.preset}.")
        return vae

    def _begin_second_phase(self) -> None:
        """From now on the encoder is frozen, and a discriminator judges reconstructions and random dogs."""
        self.critic = Critic(self.loss.look, self.accelerator)
        self.accelerator.unwrap_model(self.vae).encoder.requires_grad_(False)

    def _fit_prior(self) -> None:
        """Where random dogs are drawn from in the second phase: fixed, as the encoder is."""
        with self.accelerator.autocast():
            self.prior = fit_latents(self.ema, self.train, effects=False)

    def _trim_log(self) -> None:
        """Drops the lines of another run, and those that a killed one wrote after its last checkpoint."""
        if not self.accelerator.is_main_process:
            return
        path, kept = self.out / "log.jsonl", []
        for text in path.read_text(errors="replace").splitlines() if path.is_file() else []:
            try:
                if json.loads(text)["images"] <= self.images:
                    kept.append(text + "\n")
            except (ValueError, TypeError, KeyError):
                pass  # half a line: a kill while it was written
        write_whole(path, "".join(kept).encode())

    def _state(self) -> tuple[dict, dict]:
        modules = {"model": self.accelerator.unwrap_model(self.vae), "ema": self.ema}
        optimizers = {"optimizer": self.optimizer.optimizer}
        if self.critic:
            modules["critic"] = self.accelerator.unwrap_model(self.critic.heads)
            optimizers["critic_optimizer"] = self.critic.optimizer.optimizer
        return modules, optimizers

    @property
    def batch(self) -> int:
        """Images of one step, over all processes."""
        return self.recipe.batch * self.accelerator.num_processes

    @property
    def first_phase(self) -> float:
        """Images after which the second phase begins; all of them for a preset that has none."""
        return self.total * (1 - self.recipe.realism_share)

    def done(self) -> bool:
        if self.args.images:
            return self.images >= self.args.images
        return self.minutes >= self.args.minutes

    def step(self) -> dict[str, float] | None:
        """One update of the weights; its loss parts, or None if it was skipped as not finite."""
        recipe, accelerator = self.recipe, self.accelerator
        if not self.critic and self.images >= self.first_phase < self.total:
            accelerator.unwrap_model(self.vae).load_state_dict(self.ema.state_dict())
            self.second_from = self.images
            self._begin_second_phase()
            self._fit_prior()

        # Look at some dogs.
        start = self.images + accelerator.process_index * recipe.batch
        x, eps = (t.to(accelerator.device) for t in self.samples.batch(start, recipe.batch))
        x = x.contiguous(memory_format=torch.channels_last)
        buffers = [b.clone() for b in self.vae.buffers()]  # BatchNorm's averages, which a bad step would poison
        self.optimizer.zero_grad()
        total, parts = self._likeness(x, eps) if not self.critic else self._realism(x, eps, start)
        norm = accelerator.clip_grad_norm_(self.vae.parameters(), recipe.clip)
        finite = torch.isfinite(total.detach()) & torch.isfinite(norm)
        finite = accelerator.reduce(finite.float(), "mean").item() == 1.0  # all processes agree
        rate = self.learning_rate()
        self.images += self.batch
        if not finite:
            self._skip(buffers)
            return None

        # Update weights.
        self.bad_in_a_row = 0
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()

        # Update EMA.
        vae = accelerator.unwrap_model(self.vae)
        update_ema(self.ema, vae, recipe.ema_halflife, self.images, self.batch)
        return {k: v.item() for k, v in parts.items()} | {"gradient": norm.item()}

    def _likeness(self, x: Tensor, eps: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The first phase: gradients of the preset's loss for encoder and decoder."""
        features = self.loss.features(x)
        with self.accelerator.autocast():
            x_hat, mu, logvar = self.vae(x, eps, features)
        warm = min(1.0, self.images / self.recipe.kl_warmup) if self.recipe.kl_warmup else 1.0
        total, parts = self.loss(x, x_hat, mu, logvar, warm, self.samples.shift(self.images, PerceptualLoss.REACH))
        self.accelerator.backward(total)
        return total, parts

    def _realism(self, x: Tensor, eps: Tensor, start: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The second phase: gradients for the decoder, from likeness and from a critic, which learns too.

        Half as many random dogs as reconstructions; the two gradients meet at the pictures.
        """
        features = self.loss.features(x)
        generator = torch.Generator().manual_seed(self.seed * 32_452_843 + start)
        c = torch.randn(len(x) // 2, self.config.latent_dim, generator=generator)
        with self.accelerator.autocast():
            x_hat, mu, logvar = self.vae(x, eps, features, self.prior.from_coordinates(c).to(x.device))
        pictures = x_hat.detach().float().requires_grad_()
        shift = self.samples.shift(self.images, PerceptualLoss.REACH)
        total, parts = self.loss(x, pictures[: len(x)], mu, logvar, 1.0, shift)
        realism, critic = self.critic.judge(x, pictures, generator)
        ramp = min(1.0, (self.images - self.second_from) / self.recipe.realism_warmup)
        gradient, scale = image_gradient(pictures, len(x), total, realism, ramp * self.recipe.realism_weight)
        self.accelerator.backward(x_hat, gradient=gradient.to(x_hat.dtype))
        self.critic.learn(critic)
        return total + realism, parts | {"realism": realism, "critic": critic, "lambda": scale}

    def _skip(self, buffers: list[Tensor]) -> None:
        self.skipped_steps += 1
        self.bad_in_a_row += 1
        for buffer, before in zip(self.vae.buffers(), buffers):
            buffer.copy_(before)
        if self.accelerator.scaler:  # fp16: lowers its scale, and expects to hear of every step
            self.accelerator.scaler.update()
        if self.bad_in_a_row >= MAX_BAD_STEPS:
            raise TrainingError(
                f"The loss was not finite {MAX_BAD_STEPS} times in a row, after {self.images} images; "
                "try a lower learning rate or --precision no."
            )

    def learning_rate(self) -> float:
        """At this point of the run: each phase warms up and falls to zero."""
        recipe = self.recipe
        if not self.critic:
            return learning_rate(recipe.lr, recipe.warmup, self.images, self.first_phase)
        seen, length = self.images - self.second_from, self.total - self.second_from
        return learning_rate(recipe.realism_lr, recipe.realism_warmup, seen, length)

    def save(self) -> None:
        """The checkpoint, then the weights. A full disk leaves the former ones."""
        if not self.accelerator.is_main_process:
            return
        facts = {"images": self.images, "minutes": self.minutes, "total": self.total}
        facts |= {"second_from": self.second_from, "realism": self.recipe.realism_share}
        facts |= {"skipped_steps": self.skipped_steps, "config": self.config.to_json(), "seed": self.seed}
        try:
            save_checkpoint(self.out, *self._state(), **facts)
            save(self.ema, self.out)
        except OSError as error:
            raise TrainingError(f"The checkpoint could not be written ({error}); the former one is kept.") from None

    def show(self) -> None:
        """Grids of reconstructions and of random dogs, by the EMA."""
        if not self.accelerator.is_main_process:
            return
        few = type(self.train)(self.train.pixels[:1024], [])
        with self.accelerator.autocast():
            self.ema.latents = fit_latents(self.ema, few, effects=False)
            real = self.val.floats(slice(0, 10))
            mu, _ = self.ema.encode(real)
            x_hat = self.ema.decode(mu)
            drawn = [self.ema.decode(self.ema.latents.sample(10, seed=seed)) for seed in range(4)]
            normal = self.ema.decode(self.ema.latents.sample(10, prior="normal"))
        tag = f"{self.images // 1000:05d}k"
        save_grid([real, x_hat], self.out / "grids" / f"reconstructions-{tag}.png")
        save_grid([*drawn, normal], self.out / "grids" / f"samples-{tag}.png")

    def log(self, line: dict) -> None:
        if self.accelerator.is_main_process:
            with open(self.out / "log.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")
