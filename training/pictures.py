"""The pictures that a run leaves behind: grids and loss curves."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no screen needed
import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torchvision.utils import make_grid

from model.files import write_whole
from model.pixels import to_file, to_picture


def save_grid(rows: list[Tensor], path: Path) -> Path:
    """rows: equally long [N, 3, S, S] in [-1, 1], one under the other; written to a PNG, atomically."""
    x = torch.cat([row.cpu() for row in rows])
    picture = to_picture(make_grid(x, nrow=len(rows[0]), padding=2, pad_value=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, to_file(picture, "PNG", optimize=True))
    return path


def save_loss_curve(log: Path, path: Path) -> None:
    """The parts of the loss over images seen, from a run's log.jsonl."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if "loss" in line]
    if not lines:
        return
    names = list(lines[-1]["loss"])
    figure, axes = plt.subplots(1, len(names), figsize=(3.2 * len(names), 2.4), layout="constrained")
    for name, axis in zip(names, [axes] if len(names) == 1 else axes):
        points = [(line["images"] / 1000, line["loss"][name]) for line in lines if name in line["loss"]]
        axis.plot(*zip(*points), linewidth=1)
        axis.set(title=name, xlabel="thousand images", yscale="log" if min(v for _, v in points) > 0 else "linear")
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=80)
    plt.close(figure)
