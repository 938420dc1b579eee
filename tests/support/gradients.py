"""Trains for one step and records it: `python -m tests.support.gradients OUT ARGUMENTS OF TRAINING`.

torchrun starts several such processes. Each writes its gradients and the samples it took to OUT/RANK.safetensors.
"""

import json
import os
import sys
from pathlib import Path

from safetensors.torch import save_file

from model import PRESETS
from tests.support.tiny import TINY_PRESETS, TINY_RECIPE
from training.config import RECIPES
from training.train import parse
from training.trainer import Trainer


def main() -> None:
    out, arguments = Path(sys.argv[1]), sys.argv[2:]
    PRESETS.update(TINY_PRESETS)
    RECIPES.update(dict.fromkeys(TINY_PRESETS, TINY_RECIPE))
    run, taken = Trainer(parse(arguments)), []
    batch = run.samples.batch

    def noted(start: int, count: int, step: int):
        taken.extend(range(start, start + count))
        return batch(start, count, step)

    run.samples.batch = noted
    run.step()
    gradients = {name: p.grad.contiguous() for name, p in run.vae.named_parameters() if p.grad is not None}
    facts = {"taken": taken, "processes": run.accelerator.num_processes, "pid": os.getpid()}
    save_file(gradients, out / f"{run.accelerator.process_index}.safetensors", {"facts": json.dumps(facts)})
    run.accelerator.end_training()


if __name__ == "__main__":
    main()
