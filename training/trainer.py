"""One training run: what it holds, a step, the loop, and what it leaves behind at a tick.

    Trainer(TrainConfig(data="heads", out="runs/mine", images=100_000)).train()
"""

import copy
import time
from pathlib import Path

import torch
from accelerate.utils import gather_object
from torch import Tensor
from tqdm import tqdm

from model import Config, DogVAE, load
from model.errors import PlainError
from model.pretrained import read, save
from model.residual import TrunkEncoder
from model.trunk import EfficientNetLite

from .checkpoint import NAME, CheckpointError, another_config, load_checkpoint, read_facts, save_checkpoint
from .config import TrainConfig, within
from .data.folder import Samples, load_pictures, load_splits
from .data.stream import Stream, first_pictures
from .features import load_lite0
from .fit import describe, fit_latents, with_mirrored
from .log import Log, trim
from .losses import ClassicLoss, PerceptualLoss
from .phases import PHASES, Phase
from .pictures import save_grid, save_loss_curve
from .processes import TrainingError, average_gradients, has_room, make_accelerator, stopped_by
from .schedule import update_ema

MAX_BAD_STEPS = 20  # in a row with a loss or gradient that is not finite
SLOW_STEPS = 20  # the first ones, which say little about the pace


class Stopped(PlainError):
    """Somebody asked the run to stop; its checkpoint is written. The text says so."""


class Trainer:
    """One run. `train` is the loop; `step`, `save` and `show` are what it is made of.

    Raises DataError, CheckpointError, WeightsError or TrainingError, each with one plain sentence.
    """

    def __init__(self, config: TrainConfig):
        # Initialize.
        self.out = Path(config.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.accelerator = make_accelerator(config.precision)
        facts = read_facts(self.out) if config.resume else None
        self.config = config = config.resumed(facts) if facts else config
        self.recipe, self.model_config = config.recipe(), config.model_config()
        self._check(facts)
        self.images, self.minutes, self.skipped_steps, self.bad_in_a_row = 0, 0.0, 0, 0
        self.asked_to_stop = self.stopping = False
        self._load_data(facts)

        # Build the model, its average, its loss.
        torch.manual_seed(config.seed)
        vae = self._start()
        self.criterion: ClassicLoss | PerceptualLoss = ClassicLoss()
        if self.model_config.network == "residual":
            self.criterion = PerceptualLoss(self._trunk(vae), self.model_config.encoder_size)
        vae = vae.to(self.accelerator.device, memory_format=torch.channels_last)
        self.ema = copy.deepcopy(vae).eval().requires_grad_(False)
        trained = [p for p in vae.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.recipe.lr, betas=self.recipe.betas, weight_decay=0, fused=True)
        # Not wrapped for several processes: `average_gradients` serves all phases alike.
        self.vae = self.accelerator.prepare_model(vae, evaluation_mode=True)
        self.optimizer = self.accelerator.prepare(optimizer)

        # Go on where it was, or begin.
        self.total = config.images or self.recipe.warmup * 20  # --minutes: put right after each step
        self.phase: Phase = PHASES["likeness"](self)
        if facts:
            self._go_on(facts)
        if self.accelerator.is_main_process:
            trim(self.out / "log.jsonl", self.images)

    # ---- Before the first step

    def _check(self, facts: dict | None) -> None:
        """Raises TrainingError or CheckpointError for what can't be trained so, or would be lost."""
        config, processes = self.config, self.accelerator.num_processes
        self.micro, rest = divmod(self.batch, processes * config.accumulate)
        if rest or not self.micro:
            raise TrainingError(
                f"A batch of {self.batch} can't be shared by {processes} processes in "
                f"{config.accumulate} parts; choose --batch so that it divides."
            )
        if facts and Config.from_json(facts["config"]) != self.model_config:
            raise CheckpointError(another_config(self.out, facts.get("training", {}), config.to_json()))
        if not facts and (self.out / NAME).exists():
            raise CheckpointError(f"{self.out} holds a run; go on with it by --resume, or train into another --out.")
        if not facts and (self.out / "model.safetensors").exists():
            raise CheckpointError(f"{self.out} holds weights, which would be lost; train into another --out.")
        if self.model_config.network == "residual" and not self.model_config.variational:
            raise TrainingError(f"The preset {config.preset} is trained at a price of KL above 0; leave out --kl 0.")
        if self.model_config.network != "residual" and self.recipe.realism_share:
            raise TrainingError(f"The preset {config.preset} has no second phase; leave out --realism.")
        if self.accelerator.mixed_precision == "fp16" and self.recipe.realism_share:  # two optimizers, one loss scale
            raise TrainingError("--precision fp16 has no second phase; use bf16, or leave it out by --realism 0.")

    def _load_data(self, facts: dict | None) -> None:
        """train_pictures: what encoder and decoder learn; upright: the first of them, for the prior; val."""
        config, accelerator = self.config, self.accelerator
        self.samples: Samples
        size, dim = self.model_config.image_size, self.model_config.latent_dim
        if config.stream:
            self.upright, self.val = first_pictures(config.data, size, self.out)
            share = accelerator.process_index, accelerator.num_processes
            self.train_pictures = self.upright
            self.samples = Stream(config.data, size, dim, config.seed, *share, self.out)
            if facts and facts.get("stream"):
                self.samples.resume(facts["stream"], *share)
            return
        self.train_pictures, self.val = load_splits(config.data, size, accelerator.is_main_process, self.out)
        count = len(self.train_pictures)
        if config.aside:
            aside = load_pictures(config.aside, size, accelerator.is_main_process, self.out)
            self.train_pictures = self.train_pictures.with_more(aside)
        if has_room(accelerator.device, self.train_pictures.pixels.nbytes):  # then no step waits for them
            self.train_pictures = self.train_pictures.to(accelerator.device)
        self.upright = self.train_pictures.first(count)  # shares its memory
        if accelerator.is_main_process and self._looks_twice() and not self.train_pictures.sharp.any():
            print("All pictures are enlargements: the fine look at full size has nothing to look at, and is left out.")
        self.samples = Samples(self.train_pictures, dim, config.seed)

    def _looks_twice(self) -> bool:
        return self.model_config.network == "residual" and self.model_config.image_size > self.model_config.encoder_size

    def _start(self) -> DogVAE:
        init_from = self.config.init_from
        if not init_from or self.config.resume:  # a checkpoint holds all weights
            return DogVAE(self.model_config)
        vae = read(init_from)
        if vae.config != self.model_config:
            raise CheckpointError(f"The weights in {init_from} are of another config than preset {self.config.preset}.")
        return vae

    def _trunk(self, vae: DogVAE) -> EfficientNetLite:
        """The frozen network that the loss compares with, in the precision it runs in; the encoder gets the same."""
        trunk = load_lite0()
        if not self.config.init_from or self.config.resume:
            assert isinstance(vae.encoder, TrunkEncoder)
            vae.encoder.trunk.load_state_dict(trunk.state_dict())
        dtype = torch.bfloat16 if self.accelerator.mixed_precision == "bf16" else torch.float32
        return trunk.to(self.accelerator.device, dtype, memory_format=torch.channels_last)

    def _go_on(self, facts: dict) -> None:
        """From the checkpoint: its phase, its state, its counts."""
        if facts["phase"] != self.phase.name:
            self.phase = PHASES[facts["phase"]](self, facts["phase_from"])
        tensors = load_checkpoint(self.out, *self._state())
        self.images, self.minutes = facts["images"], facts["minutes"]
        self.skipped_steps, self.total = facts["skipped_steps"], self.config.images or facts["total"]
        self.phase.go_on(facts, tensors)

    def _state(self) -> tuple[dict, dict]:
        modules = {"model": self.accelerator.unwrap_model(self.vae), "ema": self.ema}
        optimizers = {"optimizer": self.optimizer.optimizer}
        own_modules, own_optimizers = self.phase.state()
        return modules | own_modules, optimizers | own_optimizers

    # ---- The loop

    @property
    def batch(self) -> int:
        """Images of one step, over all processes and parts."""
        return self.recipe.batch

    @property
    def first_phase(self) -> float:
        """Images after which the second phase begins; all of them for a preset that has none."""
        return self.total * (1 - self.recipe.realism_share)

    def done(self) -> bool:
        if self.config.images:
            return self.images >= self.config.images
        return self.minutes >= (self.config.minutes or 0)

    def train(self) -> None:
        """Steps, log lines, and at each tick pictures and a checkpoint; ends with the latents fitted.

        Raises Stopped once it was asked to stop (SIGTERM, SIGINT) and has saved.
        """
        with stopped_by(lambda: setattr(self, "asked_to_stop", True)):
            self._loop()
            self.save()
        if self.stopping:
            raise Stopped(f"Stopped at {self.images} images and saved; --resume goes on from here.")
        if self.accelerator.is_main_process:
            try:
                self.show()
                self.finish()
            except KeyboardInterrupt:
                raise Stopped("Stopped before the latents were fitted; --resume fits them.") from None
        self.accelerator.end_training()

    def _loop(self) -> None:
        began, before, tick = time.monotonic(), self.minutes, self.images // self.config.tick
        log, silent = Log(self), not self.accelerator.is_main_process
        bar = tqdm(initial=self.images, total=self.config.images, unit=" images", disable=silent, smoothing=0.05)
        with bar:
            while not self.done() and not self.stopping:
                parts = self.step()
                self.agree(before + (time.monotonic() - began) / 60)
                bar.update(self.batch)
                if self.config.minutes:
                    left = max(self.config.minutes - self.minutes, 0)
                    bar.set_postfix_str(f"{left:.1f} min left", refresh=False)
                    self._foresee(int(self.images / self.minutes * self.config.minutes))
                log.add(parts)
                if self.images // self.config.tick > tick:
                    tick = self.images // self.config.tick
                    self.show()
                    self.phase.follow()  # first, so that a resumed run goes on with what this one goes on with
                    self.save()

    def _foresee(self, total: int) -> None:
        """Sets the schedule for a run that, at its pace so far, sees `total` images."""
        self.total = max(total, self.batch)
        if self.images >= SLOW_STEPS * self.batch:
            self.recipe = within(self.config.recipe(), self.total)

    def agree(self, minutes: float) -> None:
        """All processes go by the main one's clock, and stop together when one of them was asked to."""
        told = torch.tensor([minutes * self.accelerator.is_main_process, float(self.asked_to_stop)])
        if self.accelerator.num_processes > 1:
            told = self.accelerator.reduce(told.to(self.accelerator.device), "sum").cpu()
            minutes = told[0].item()
        self.minutes, self.stopping = minutes, told[1].item() > 0

    def step(self) -> dict[str, float] | None:
        """One update of the weights; its loss parts, or None if it was skipped as not finite, or far too large."""
        accelerator, config = self.accelerator, self.config
        if self.phase.is_over():
            self._next_phase()

        # Look at some dogs.
        buffers = [b.clone() for b in self.vae.buffers()]  # BatchNorm's averages, which a bad step would poison
        self.optimizer.zero_grad()
        sums: dict[str, Tensor] = {}
        loss, trains = torch.zeros((), device=accelerator.device), False
        for part in range(config.accumulate):
            start = self.images + (part * accelerator.num_processes + accelerator.process_index) * self.micro
            batch = self.samples.batch(start, self.micro, self.images).to(accelerator.device)
            total, parts = self.phase.loss(batch)
            self.phase.backward(total, config.accumulate)
            trains, loss = total.requires_grad, loss + total.detach()
            sums = {k: sums.get(k, 0) + v.detach() / config.accumulate for k, v in parts.items()}
        average_gradients(accelerator, self.vae)
        self.phase.step()
        norm = accelerator.clip_grad_norm_(self.vae.parameters(), self.recipe.clip)
        finite = torch.isfinite(loss) & torch.isfinite(norm) & (norm <= self.recipe.skip)
        finite = accelerator.reduce(finite.float(), "mean").item() == 1.0  # all processes agree
        rate = self.phase.learning_rate()
        self.images += self.batch
        if not finite:
            self._skip(buffers)
            return None

        # Update weights.
        self.bad_in_a_row = 0
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if trains:
            self.optimizer.step()

        # Update EMA.
        vae = accelerator.unwrap_model(self.vae)
        update_ema(self.ema, vae, self.recipe.ema_halflife, self.images, self.batch)
        names, values = list(sums), accelerator.reduce(torch.stack([v.float() for v in sums.values()]), "mean")
        return dict(zip(names, values.tolist())) | {"gradient": norm.item()}

    def _next_phase(self) -> None:
        """It goes on from the averaged weights."""
        self.accelerator.unwrap_model(self.vae).load_state_dict(self.ema.state_dict())
        names = list(PHASES)
        self.phase = PHASES[names[names.index(self.phase.name) + 1]](self, self.images)
        self.phase.begin()

    def _skip(self, buffers: list[Tensor]) -> None:
        """Leaves the weights as they were."""
        self.skipped_steps += 1
        self.bad_in_a_row += 1
        for buffer, before in zip(self.vae.buffers(), buffers):
            buffer.copy_(before)
        if self.accelerator.scaler:  # fp16: lowers its scale, and expects to hear of every step
            self.accelerator.scaler.update()
        if self.bad_in_a_row >= MAX_BAD_STEPS:
            raise TrainingError(
                f"The loss was not finite {MAX_BAD_STEPS} times in a row, or its gradient far too large, "
                f"after {self.images} images; "
                "try a smaller --batch, with which the learning rate falls, or --precision no."
            )

    # ---- What it leaves behind

    def save(self) -> None:
        """The checkpoint, then the weights and what the critic learned. A full disk leaves the former ones."""
        stream = gather_object([self.samples.state]) if isinstance(self.samples, Stream) else None
        if not self.accelerator.is_main_process:
            return
        facts: dict = {"stream": stream, "images": self.images, "minutes": self.minutes, "total": self.total}
        facts |= {"phase": self.phase.name, "phase_from": self.phase.began, "skipped_steps": self.skipped_steps}
        facts |= self.phase.facts()
        facts |= {"batch": self.batch, "realism": self.recipe.realism_share, "seed": self.config.seed}
        facts |= {"config": self.model_config.to_json(), "training": self.config.to_json()}
        try:
            save_checkpoint(self.out, *self._state(), self.phase.tensors(), **facts)
            save(self.ema, self.out)
            self.phase.save()
        except OSError as error:
            raise TrainingError(f"The checkpoint could not be written ({error}); the former one is kept.") from None

    def show(self) -> None:
        """Grids of reconstructions and of random dogs, by the EMA."""
        if not self.accelerator.is_main_process:
            return
        with self.accelerator.autocast():
            self.ema.latents = describe(*with_mirrored(self.ema, self.upright.first(1024)))
            real = self.val.floats(slice(0, 10))
            mu, _ = self.ema.encode(real)
            x_hat = self.ema.decode(mu)
            drawn = [self.ema.decode(self.ema.latents.sample(10, seed=seed)) for seed in range(4)]
            normal = self.ema.decode(self.ema.latents.sample(10, prior="normal"))
        tag = f"{self.images // 1000:05d}k"
        save_grid([real, x_hat], self.out / "grids" / f"reconstructions-{tag}.png")
        save_grid([*drawn, normal], self.out / "grids" / f"samples-{tag}.png")

    def finish(self) -> None:
        """Fits the latents on all training pictures and leaves a folder that `load` takes."""
        print("Fitting the latents ...")
        vae = load(self.out, device=str(self.accelerator.device), latents=False)
        vae.latents = fit_latents(vae, self.upright, progress=True)
        vae.latents.save(self.out / "latents.safetensors")
        save_loss_curve(self.out / "log.jsonl", self.out / "loss.png")
        told = f"{self.images} images in {self.minutes:.1f} minutes, {self.skipped_steps} steps skipped"
        print(f"Done: {told} -> {self.out}")

    @property
    def skipped(self) -> list[str]:
        """The pictures that could not be read, each with the reason."""
        return self.train_pictures.skipped + self.val.skipped
