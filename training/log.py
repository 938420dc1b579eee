"""What a run writes down while it goes on: log.jsonl, and the same for TensorBoard where that is installed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from model.files import write_whole

from .processes import name_of

if TYPE_CHECKING:
    from .trainer import Trainer


class Log:
    """log.jsonl: a line every 1,000 images or so with the mean of each part of the loss since the last."""

    def __init__(self, trainer: Trainer):
        self.trainer, self.path = trainer, trainer.out / "log.jsonl"
        self.writer = tensorboard(trainer.out) if trainer.accelerator.is_main_process else None
        self._begin()

    def _begin(self) -> None:
        self.sums: dict[str, float] = {}
        self.counted, self.images, self.at = 0, self.trainer.images, time.monotonic()

    def add(self, parts: dict[str, float] | None) -> None:
        """parts: the loss of a step, None of one that was skipped."""
        if parts:
            self.sums = {k: self.sums.get(k, 0.0) + v for k, v in parts.items()}
            self.counted += 1
        trainer = self.trainer
        if self.counted and (trainer.images - self.images >= 1000 or trainer.done()):
            if trainer.accelerator.is_main_process:
                self._write({k: v / self.counted for k, v in self.sums.items()})
            self._begin()

    def _write(self, loss: dict[str, float]) -> None:
        trainer = self.trainer
        rate = (trainer.images - self.images) / (time.monotonic() - self.at)
        line: dict = {"images": trainer.images, "minutes": round(trainer.minutes, 3)}
        line |= {"images_per_second": round(rate, 2)}
        line |= {"phase": trainer.phase.name, "processes": trainer.accelerator.num_processes}
        line |= {"device": name_of(trainer.accelerator.device)}
        line |= {"pictures": None if trainer.config.stream else len(trainer.train_pictures)}  # those of --aside as well
        line |= {"lr": trainer.phase.learning_rate(), "loss": loss, "skipped_steps": trainer.skipped_steps}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self.writer:
            for key, value in loss.items():
                self.writer.add_scalar(key, value, trainer.images)


def trim(path: Path, images: int) -> None:
    """Drops the lines of another run, and those that a killed one wrote after its last checkpoint.

    images: those that the checkpoint had seen.
    """
    kept = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    for text in lines:
        try:
            if json.loads(text)["images"] <= images:
                kept.append(text + "\n")
        except (ValueError, TypeError, KeyError):
            pass  # half a line: a kill while it was written
    write_whole(path, "".join(kept).encode())


def tensorboard(out: Path):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # not installed: log.jsonl says the same
        return None
    return SummaryWriter(out / "tensorboard")
