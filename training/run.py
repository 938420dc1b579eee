"""One training run: its recipe, what it holds, a step, and what it leaves behind at a tick."""

import argparse
import copy
import json
import os
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from model import PRESETS, Config, DogVAE
from model.files import write_whole
from model.pretrained import cpu_has_bfloat16, read, save
from model.vae import reparametrize

from .checkpoint import NAME, CheckpointError, load_checkpoint, read_facts, save_checkpoint
from .data.folder import Samples, load_splits
from .data.stream import Stream, first_pictures
from .discriminator import Critic
from .features import load_lite0
from .fit import describe, fit_latents, with_mirrored
from .losses import ClassicLoss, PerceptualLoss
from .pictures import save_grid
from .processes import average_gradients
from .recipe import RECIPES, learning_rate, scaled, update_ema

MAX_BAD_STEPS = 20  # in a row with a loss or gradient that is not finite


class TrainingError(RuntimeError):
    """Training can't go on; its text is one plain sentence."""


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
        if self.accelerator.num_processes < int(os.environ.get("WORLD_SIZE", 1)):
            raise TrainingError("Each process would train alone; on a CPU, set ACCELERATE_USE_CPU=true, too.")
        facts = read_facts(self.out) if args.resume else None
        batch = args.batch or (facts or {}).get("batch")
        self.config, self.recipe = PRESETS[args.preset], scaled(RECIPES[args.preset], batch)
        self.micro, rest = divmod(self.batch, self.accelerator.num_processes * args.accumulate)
        if rest or not self.micro:
            raise TrainingError(
                f"A batch of {self.batch} can't be shared by {self.accelerator.num_processes} processes in "
                f"{args.accumulate} parts; choose --batch so that it divides."
            )
        if facts and Config.from_json(facts["config"]) != self.config:
            raise CheckpointError(f"The checkpoint in {self.out} is of another config; train into another --out.")
        if not facts and (self.out / NAME).exists():
            raise CheckpointError(f"{self.out} holds a run; go on with it by --resume, or train into another --out.")
        if not facts and (self.out / "model.safetensors").exists():
            raise CheckpointError(f"{self.out} holds weights, which would be lost; train into another --out.")
        if args.realism is None and facts:
            args.realism = facts.get("realism")
        if args.realism is not None:
            if self.config.network != "residual" and args.realism:
                raise TrainingError(f"The preset {args.preset} has no second phase; leave out --realism.")
            self.recipe = replace(self.recipe, realism_share=args.realism)
        if precision == "fp16" and self.recipe.realism_share:  # two optimizers would share one loss scale
            raise TrainingError("--precision fp16 has no second phase; use bf16, or leave it out by --realism 0.")
        self.images, self.minutes, self.skipped_steps, self.bad_in_a_row = 0, 0.0, 0, 0
        self.asked_to_stop = self.stopping = False

        self.seed = facts["seed"] if facts else args.seed  # the samples to come follow from it

        # Load dataset.
        size, dim, accelerator = self.config.image_size, self.config.latent_dim, self.accelerator
        if args.stream:
            self.train, self.val = first_pictures(args.data, size)
            share = accelerator.process_index, accelerator.num_processes
            self.samples = Stream(args.data, size, dim, self.seed, *share)
            if facts and facts.get("stream"):
                self.samples.resume(facts["stream"], *share)
        else:
            self.train, self.val = load_splits(args.data, size, accelerator.is_main_process)
            also = os.environ.get("ALSO")
            self.upright = len(self.train)
            if also:
                from .data import load_pictures
                more = load_pictures(also, size)
                self.train = type(self.train)(torch.cat([self.train.pixels, more.pixels]), [], torch.cat([self.train.side, more.side]))
            self.samples = Samples(self.train, dim, self.seed)

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
        # Not wrapped for several processes: `average_gradients` serves both phases alike.
        self.vae = self.accelerator.prepare_model(vae, evaluation_mode=True)
        self.optimizer = self.accelerator.prepare(optimizer)
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
            self._encode_once()
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
        torch.manual_seed(self.seed)  # the same new weights in every process
        self.critic = Critic(self.loss.look, self.accelerator, self.recipe.critic_lr)
        self.accelerator.unwrap_model(self.vae).encoder.requires_grad_(False)

    def _encode_once(self) -> None:
        """What the frozen encoder says of every training picture (of a stream: of the first ones) and its mirror image,
        and the prior fitted to it."""
        with self.accelerator.autocast():
            self.mu, self.logvar = with_mirrored(self.ema, self.train)
        self.prior = describe(self.mu[:, : self.upright], self.logvar[:, : self.upright])

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
            modules["critic"] = self.accelerator.unwrap_model(self.critic.discriminator)
            optimizers["critic_optimizer"] = self.critic.optimizer.optimizer
        return modules, optimizers

    @property
    def batch(self) -> int:
        """Images of one step, over all processes and parts."""
        return self.recipe.batch

    @property
    def first_phase(self) -> float:
        """Images after which the second phase begins; all of them for a preset that has none."""
        return self.total * (1 - self.recipe.realism_share)

    @property
    def realism_from(self) -> float:
        """Images after which the decoder heeds the critic. What a new one says would spoil a decoder that is good."""
        return self.second_from + min(self.recipe.critic_alone, (self.total - self.second_from) / 10)

    def done(self) -> bool:
        if self.args.images:
            return self.images >= self.args.images
        return self.minutes >= self.args.minutes

    def agree(self, minutes: float) -> None:
        """All processes go by the main one's clock, and stop together when one of them was asked to."""
        told = torch.tensor([minutes * self.accelerator.is_main_process, float(self.asked_to_stop)])
        if self.accelerator.num_processes > 1:
            told = self.accelerator.reduce(told.to(self.accelerator.device), "sum").cpu()
            minutes = told[0].item()
        self.minutes, self.stopping = minutes, told[1].item() > 0

    def step(self) -> dict[str, float] | None:
        """One update of the weights; its loss parts, or None if it was skipped as not finite."""
        recipe, accelerator = self.recipe, self.accelerator
        if not self.critic and self.images >= self.first_phase < self.total:
            accelerator.unwrap_model(self.vae).load_state_dict(self.ema.state_dict())
            self.second_from = self.images
            self._begin_second_phase()
            self._encode_once()

        # Look at some dogs.
        buffers = [b.clone() for b in self.vae.buffers()]  # BatchNorm's averages, which a bad step would poison
        self.optimizer.zero_grad()
        sums, loss = {}, 0.0
        for part in range(self.args.accumulate):
            start = self.images + (part * accelerator.num_processes + accelerator.process_index) * self.micro
            x, eps = (t.to(accelerator.device) for t in self.samples.batch(start, self.micro))
            x = x.contiguous(memory_format=torch.channels_last)
            total, parts = self._likeness(x, eps) if not self.critic else self._realism(x, eps, start)
            if total.requires_grad:  # not while the critic learns alone
                accelerator.backward(total / self.args.accumulate)
            if self.critic:
                self.critic.backward(self.args.accumulate)
            loss = loss + total.detach()
            sums = {k: sums.get(k, 0.0) + v.detach() / self.args.accumulate for k, v in parts.items()}
        average_gradients(accelerator, self.vae)
        if self.critic:
            self.critic.step()
        norm = accelerator.clip_grad_norm_(self.vae.parameters(), recipe.clip)
        finite = torch.isfinite(loss) & torch.isfinite(norm)
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
        if total.requires_grad:
            self.optimizer.step()

        # Update EMA.
        vae = accelerator.unwrap_model(self.vae)
        update_ema(self.ema, vae, recipe.ema_halflife, self.images, self.batch)
        names, values = list(sums), accelerator.reduce(torch.stack([v.float() for v in sums.values()]), "mean")
        return dict(zip(names, values.tolist())) | {"gradient": norm.item()}

    def _likeness(self, x: Tensor, eps: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The first phase: the preset's loss, for encoder and decoder."""
        warm = min(1.0, self.images / self.recipe.kl_warmup) if self.recipe.kl_warmup else 1.0
        shift = self.samples.shift(self.images, PerceptualLoss.REACH)
        features = self.loss.features(x, shift)
        with self.accelerator.autocast():
            x_hat, mu, logvar, half = self.vae(x, eps, features)
        room = max(x.shape[-1] - PerceptualLoss.LOOK, 0) // 2
        patch = [room + v for v in self.samples.shift(self.images + 1, room)]
        sharp = self.samples.sharp(self.images, len(x))
        return self.loss(x, x_hat, mu, logvar, half, features, shift, patch, sharp, warm)

    def _encoded(self, x: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """mu, logvar of the samples from `start`, by the frozen encoder: looked up, or of a stream computed."""
        if self.args.stream:
            with self.accelerator.autocast():
                return tuple(encoded.cpu() for encoded in self.ema.encode(x))
        index, mirrored, _ = self.samples.which(start, len(x))
        return tuple(encoded[mirrored.long(), index] for encoded in (self.mu, self.logvar))

    def _realism(self, x: Tensor, eps: Tensor, start: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The second phase: the decoder's loss, from likeness and from a critic, which is to learn too.

        Half as many random dogs as reconstructions, half of them at temperature 1 and the others between the mean
        dog and there: where nobody asked the decoder for pictures, it fills them with screens and stripes. The
        encoder's noise is halved: the decoder still hears of each dog's neighbourhood, and sees more of the dog.
        """
        mu, logvar = self._encoded(x, start)
        seed = (self.seed * 32_452_843 + start) % 2**53
        generator = torch.Generator().manual_seed(seed)
        count = (len(x) + 1) // 2
        temperature = (2 * torch.rand(count, 1, generator=generator)).clamp(max=1)
        drawn = torch.lerp(self.prior.mean, self.prior.sample(count, seed=seed + 1), temperature)
        z = torch.cat([reparametrize(mu, logvar, eps.cpu() / 2), drawn])
        with torch.set_grad_enabled(self.images >= self.realism_from), self.accelerator.autocast():
            pictures = self.accelerator.unwrap_model(self.vae).decoder(z.to(x.device)).float()
        verdict = self.critic.judge(x, pictures, generator)
        likeness, parts = self.loss.coarse(x, pictures[: len(x)], verdict.real, [f[: len(x)] for f in verdict.seen])
        ramp = min(1.0, (self.images - self.realism_from) / self.recipe.realism_warmup)
        total = likeness + ramp * self.recipe.realism_weight * verdict.realism
        return total, parts | {"realism": verdict.realism, "critic": self.critic.loss.detach()}

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
        seen, length = self.images - self.realism_from, self.total - self.realism_from
        return learning_rate(recipe.realism_lr, recipe.realism_warmup, seen, length) if seen >= 0 else 0.0

    def save(self) -> None:
        """The checkpoint, then the weights. A full disk leaves the former ones."""
        stream = gather_object([self.samples.state]) if self.args.stream else None
        if not self.accelerator.is_main_process:
            return
        facts = {"stream": stream, "images": self.images, "minutes": self.minutes, "total": self.total}
        facts |= {"batch": self.batch, "second_from": self.second_from, "realism": self.recipe.realism_share}
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
        few = type(self.train)(self.train.pixels[:1024], [], None)
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
