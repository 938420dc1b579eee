"""Train the finder of dogs' heads on photos with labelled boxes, and measure it.

    python -m training.train_finder --data ../shared/data

DATA holds photos.csv (file, split, boxes) and photos/. OUT (default weights/finder) gets config.json,
model.safetensors, metrics.json and its card. --measure only measures what OUT holds.
"""

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_iou
from tqdm import tqdm

from model.files import write_whole
from model.finder import DogFinder, Head, HeadMaps
from model.photos import open_photo
from model.pretrained import cpu_has_bfloat16, sha256

from ..command import one_sentence, unwritten
from ..tables import write_json
from .card import MOST_REPORTED, NOT_DOGS, card, curve_table
from .common import frozen_trunk, optimize, parse, save
from .views import SIZE, VIEWS, Labelled, Views, make_views, read_labels

DROPOUT = 0.2
HELD_OUT = 10  # one photo without dogs in so many is not trained on: the default threshold is chosen on them
CURVE = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)


def finder_loss(maps: Tensor, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """maps [B, 4, H, W] of HeadMaps, targets [B, 5, H, W] of views.target -> the total and its parts.

    heat: the focal loss of CenterNet (Law & Deng 2018, arXiv:1808.01244, eq. 1), alpha 2, beta 4. place and
    size: absolute error in sides of the head, and of the logarithm of the side.
    """
    logit, wanted = maps[:, 0], targets[:, 0]
    p = logit.sigmoid()
    positive, counts = wanted == 1, wanted >= 0
    hit = -F.logsigmoid(logit) * (1 - p).square()
    alarm = -F.logsigmoid(-logit) * p.square() * (1 - wanted).clamp(0, 1) ** 4
    heat = torch.where(positive, hit, alarm)[counts].sum() / (positive.sum() + 1)
    weight = targets[:, 4]
    total = weight.sum() + 1
    apart = (maps[:, 1:3] - targets[:, 1:3]).abs().sum(1) / targets[:, 3].exp()
    place = (apart * weight).sum() / total
    size = ((maps[:, 3] - targets[:, 3]).abs() * weight).sum() / total
    return heat + 4 * place + 2 * size, {"heat": heat, "place": place, "size": size}


def train_maps(views: Views, epochs: float, width: int, seed: int) -> HeadMaps:
    """The small network that says where heads are, trained on features that the trunk has computed before."""
    torch.manual_seed(seed)
    maps = HeadMaps(width).to(memory_format=torch.channels_last)

    def loss(index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        features = [f[index].float() for f in (views.stride8, views.stride16, views.stride32)]
        features = [F.dropout2d(f, DROPOUT).contiguous(memory_format=torch.channels_last) for f in features]
        with torch.autocast("cpu", torch.bfloat16, enabled=cpu_has_bfloat16()):
            out = maps(*features)
        return finder_loss(out.float(), views.targets[index])

    optimize(maps, len(views), epochs, loss)
    return maps


def save_finder(maps: HeadMaps, folder: Path, width: int, threshold: float) -> None:
    facts = {"width": width, "size": SIZE, "threshold": threshold}
    save(maps, folder / "model.safetensors", folder / "config.json", facts)


# ---- Measuring


def look_at_all(finder: DogFinder, photos: list[Labelled], doing: str) -> list[list[Head]]:
    """What the finder sees in each photo, down to the lowest threshold of the curve."""
    return [finder.find_boxes(open_photo(p.path), CURVE[0]) for p in tqdm(photos, doing, unit=" photos", leave=False)]


def best(heads: list[Head]) -> float:
    return heads[0].score if heads else 0.0


def overlaps(photos: list[Labelled], seen: list[list[Head]], threshold: float) -> Tensor:
    """For each labelled head, its IoU with the nearest that was found; 0 where none was."""
    values = []
    for photo, heads in zip(photos, seen):
        boxes = [h.box for h in heads if h.score >= threshold]
        for box in photo.boxes:
            values.append(box_iou(torch.tensor([box]), torch.tensor(boxes)).max().item() if boxes else 0.0)
    return torch.tensor(values)


def located(photo: Labelled, heads: list[Head]) -> bool:
    """Whether the best head lies where a labelled one does: centre within 0.25 head sizes, size within a factor 1.6.

    The size of a box is the square root of its area.
    """
    if not heads:
        return False
    x0, y0, x1, y1 = heads[0].box
    for a0, b0, a1, b1 in photo.boxes:
        size = math.sqrt((a1 - a0) * (b1 - b0))
        apart = math.hypot((x0 + x1 - a0 - a1) / 2, (y0 + y1 - b0 - b1) / 2)
        if apart <= 0.25 * size and abs(math.log((x1 - x0) / size)) <= math.log(1.6):
            return True
    return False


def curve(photos: list[Labelled], seen: list[list[Head]], thresholds: tuple[float, ...]) -> list[dict]:
    """At each threshold: the share of dogs found and located, and of photos without dogs where one is reported."""
    kinds = [p.kind for p in photos]
    rows = []
    for threshold in thresholds:
        reported = [best(heads) >= threshold for heads in seen]
        right = [located(p, heads) for p, heads in zip(photos, seen)]
        line: dict[str, float | None] = {"threshold": threshold}
        for kind in ("dog", *NOT_DOGS):
            of_kind = [hit for hit, k in zip(reported, kinds) if k == kind]
            line[kind] = sum(of_kind) / len(of_kind) if of_kind else None
        dogs = [hit and there for hit, there, k in zip(reported, right, kinds) if k == "dog"]
        line["located"] = sum(dogs) / len(dogs) if dogs else None
        rows.append(line)
    return rows


def choose_threshold(seen: list[list[Head]]) -> float:
    """The lowest of CURVE at which a head is reported in at most MOST_REPORTED of these photos without dogs."""
    scores = torch.tensor([best(heads) for heads in seen])
    return next((t for t in CURVE if (scores >= t).float().mean() <= MOST_REPORTED), CURVE[-1])


def measure(finder: DogFinder, data: Path) -> dict:
    """Everything that metrics.json holds of the finder's quality."""
    val, test = read_labels(data, "val"), read_labels(data, "test")
    seen_val = look_at_all(finder, val, "val")
    seen_test = look_at_all(finder, test, "test")
    iou = overlaps(val, seen_val, finder.threshold)
    thresholds = tuple(sorted({*CURVE, finder.threshold}))
    return {
        "threshold": finder.threshold,
        "val": {"heads": len(iou), "iou_over_half": (iou > 0.5).float().mean().item(), "mean_iou": iou.mean().item()},
        "test": {
            "photos": {kind: sum(p.kind == kind for p in test) for kind in ("dog", *NOT_DOGS)},
            "at_threshold": curve(test, seen_test, (finder.threshold,))[0],
            "curve": curve(test, seen_test, thresholds),
        },
    }


def main(argv: list[str] | None = None) -> None:
    about = __doc__.splitlines()[0]
    args = parse("train_finder", about, "photos.csv and photos/", 3, argv)
    with one_sentence(unwritten("The finder")):
        facts = {}
        if not args.measure:
            facts = train(args) | {"command": args.command}
        finder = DogFinder(args.out)
        metrics = facts | {"sha256": sha256(args.out / "model.safetensors")} | measure(finder, args.data)
        print(curve_table(metrics))
        if not args.measure:
            metrics |= landmarks_of(args.out / "metrics.json")
            write_json(metrics, args.out / "metrics.json")
            write_whole(args.out / "README.md", card(metrics).encode())


def landmarks_of(path: Path) -> dict:
    """What training.train_landmarks has noted in a metrics.json; it stays there."""
    try:
        return {"landmarks": json.loads(path.read_text(encoding="utf-8"))["landmarks"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def train(args: argparse.Namespace) -> dict:
    """Trains, chooses the threshold, saves; what it took."""
    began = time.monotonic()
    photos = read_labels(args.data, "train")
    held_out = [p for p in photos if not p.boxes][::HELD_OUT]
    photos = [p for p in photos if p not in held_out]
    views = make_views(photos, VIEWS, frozen_trunk(), args.seed)
    maps = train_maps(views, args.epochs, args.width, args.seed)
    with tempfile.TemporaryDirectory() as folder:  # OUT gets it when it is whole: until then the former one works
        save_finder(maps, Path(folder), args.width, 0.3)
        seen = look_at_all(DogFinder(folder), held_out, "held out")
    threshold = choose_threshold(seen)
    save_finder(maps, args.out, args.width, threshold)
    held = curve(held_out, seen, (threshold,))[0]
    return {
        "parameters": sum(p.numel() for p in maps.parameters()),
        "photos": len(photos),
        "views": len(views),
        "minutes": (time.monotonic() - began) / 60,
        "held_out": {"photos": len(held_out)} | {kind: held[kind] for kind in NOT_DOGS},
    }


if __name__ == "__main__":
    main()
