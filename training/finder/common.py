"""What the two networks of the finder share in their training: options, the loop, and how they are kept."""

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from tqdm import tqdm

from model.files import write_whole
from model.finder import WEIGHTS, load_trunk
from model.pretrained import cpu_has_bfloat16
from model.trunk import EfficientNetLite

from ..command import named_folder

BATCH, LEARNING_RATE, WEIGHT_DECAY = 64, 2e-3, 0.05
Loss = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]


def parse(name: str, about: str, data: str, epochs: float, argv: list[str] | None) -> argparse.Namespace:
    """The options of `python -m training.NAME`; `command` among them is the whole command, for the metrics.

    about: the command in one sentence. data: what lies in --data. epochs: their default.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", required=True, type=named_folder, help=f"the folder of {data}")
    parser.add_argument("--out", type=named_folder, default=WEIGHTS / "finder", help="default weights/finder")
    parser.add_argument("--epochs", type=float, default=epochs, help=f"passes over the views (default {epochs})")
    parser.add_argument("--width", type=int, default=64, help="channels of the small network (default 64)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure", action="store_true", help="train nothing, measure what --out holds")
    args = parser.parse_args(argv)
    args.command = f"python -m training.{name} " + " ".join(sys.argv[1:] if argv is None else argv)
    return args


def frozen_trunk() -> EfficientNetLite:
    """The trunk whose features both networks read, in bfloat16 where this CPU computes in it."""
    trunk = load_trunk(WEIGHTS / "dogvae" / "model.safetensors")
    return trunk.to(torch.bfloat16 if cpu_has_bfloat16() else torch.float32, memory_format=torch.channels_last)


def optimize(network: nn.Module, views: int, epochs: float, loss: Loss) -> None:
    """Trains a network on so many views, in an order that follows from torch's seed.

    loss: numbers of views [B] -> the loss to make small, and its parts, which the progress bar shows.
    """
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = max(1, round(epochs * views / BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=0.1)
    order = torch.cat([torch.randperm(views) for _ in range(math.ceil(epochs) + 1)])
    shown: dict[str, float] = {}
    bar = tqdm(range(steps), "training", unit=" steps", mininterval=1)
    for step in bar:
        total, parts = loss(order[step * BATCH : (step + 1) * BATCH])
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        for name, value in parts.items():
            shown[name] = 0.98 * shown.get(name, value.item()) + 0.02 * value.item()
        bar.set_postfix({name: f"{value:.3f}" for name, value in shown.items()}, refresh=False)
    network.requires_grad_(False).eval()


def save(network: nn.Module, weights: Path, config: Path, facts: dict) -> None:
    """The weights in half precision, and a JSON of facts beside them."""
    weights.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    write_whole(weights, to_bytes(halves))
    write_whole(config, (json.dumps({"format": 1} | facts, indent=2) + "\n").encode())
