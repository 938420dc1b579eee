"""Train what finds eyes and noses, and measure it.

    python -m training.train_landmarks --data ../shared/data

DATA holds photos.csv with landmarks, photos/ and heads/ (upright heads with theirs, and heads/aside). OUT (default
weights/finder) gets landmarks.json and landmarks.safetensors; its metrics.json and card are brought up to date.
--measure only measures what OUT holds.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from model import DogFinder
from model.files import write_whole
from model.landmarks import LandmarkMaps, Landmarks
from model.pretrained import cpu_has_bfloat16, sha256

from ..command import one_sentence, unwritten
from ..tables import write_json
from .agreement import Answer, answers_of, measure
from .card import card, landmarks_table
from .common import frozen_trunk, optimize, parse, save
from .faces import VIEWS, FaceViews, Pose, make_views, read_aside, read_photos, read_upright

DROPOUT = 0.1
BELL = 0.04  # of the view: how wide a place is, in the maps that are learned


def face_loss(points: Tensor, maps: Tensor, seen: Tensor, wanted: Tensor, sure: Tensor) -> tuple[Tensor, dict]:
    """What LandmarkMaps returned, and FaceViews' points [B, 3, 2] and sure [B] -> the total and its parts.

    place: mean distance of the points, as a share of the view. maps: cross-entropy of the maps with bells round the
    wanted places, less its least. seen: binary cross-entropy. NaN in wanted or sure: does not count.
    """
    known = wanted.isfinite().all(-1).all(-1) & ((wanted > 0) & (wanted < 1)).all(-1).all(-1)
    counted = sure.isfinite()
    zero = points.sum() * 0
    place = (points - wanted)[known].norm(dim=-1).mean() if known.any() else zero
    bells = _bells(wanted[known], maps.shape[-1])
    logs = maps[known].flatten(2).log_softmax(-1)
    spread = F.kl_div(logs, bells, reduction="none").sum(-1).mean() if known.any() else zero
    judged = F.binary_cross_entropy_with_logits(seen[counted], sure[counted]) if counted.any() else zero
    return 10 * place + 0.5 * spread + judged, {"place": place, "maps": spread, "seen": judged}


def _bells(places: Tensor, cells: int) -> Tensor:
    """[B, 3, 2] in 0..1 -> [B, 3, cells * cells], each summing to 1."""
    middles = (torch.arange(cells) + 0.5) / cells
    x, y = (torch.exp(-((middles - places[..., i, None]) ** 2) / (2 * BELL**2)) for i in (0, 1))
    bells = (y[..., :, None] * x[..., None, :]).flatten(2)
    return bells / bells.sum(-1, keepdim=True).clamp_min(1e-6)


def train_maps(views: FaceViews, epochs: float, width: int, seed: int) -> LandmarkMaps:
    """The small network that finds eyes and nose, trained on features that the trunk has computed before."""
    torch.manual_seed(seed)
    maps = LandmarkMaps(width).to(memory_format=torch.channels_last)

    def loss(index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        features = [F.dropout2d(f[index].float(), DROPOUT) for f in views.features]
        features = [f.contiguous(memory_format=torch.channels_last) for f in features]
        with torch.autocast("cpu", torch.bfloat16, enabled=cpu_has_bfloat16()):
            points, where, seen = maps(*features)
        return face_loss(points.float(), where, seen, views.points[index], views.sure[index])

    optimize(maps, len(views), epochs, loss)
    return maps


def calibrate(answers: list[Answer]) -> list[float]:
    """The weights and the bias by which what `Evidence` tells becomes a probability: logistic regression.

    Of what: that the teacher was sure of this head, and that the frame by the answer is right.
    """
    told = [(a.signs, float(a.teacher_sure and a.right)) for a in answers if a.signs is not None]
    x, y = torch.stack([signs for signs, _ in told]).double(), torch.tensor([right for _, right in told]).double()
    mean, sd = x.mean(0), x.std(0) + 1e-6
    weights = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        logits = (x - mean) / sd @ weights[:-1] + weights[-1]
        loss = F.binary_cross_entropy_with_logits(logits, y) + 1e-3 * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    slopes = weights[:-1].detach() / sd
    return [*slopes.tolist(), (weights[-1].detach() - slopes @ mean).item()]


def save_landmarks(maps: LandmarkMaps, folder: Path, width: int, certainty: list[float]) -> None:
    facts = {"width": width, "certainty": [round(v, 5) for v in certainty]}
    save(maps, folder / "landmarks.safetensors", folder / "landmarks.json", facts)


def main(argv: list[str] | None = None) -> None:
    about = __doc__.splitlines()[0]
    args = parse("train_landmarks", about, "photos.csv, photos/ and heads/", 8, argv)
    with one_sentence(unwritten("The landmarks")):
        facts = {}
        if not args.measure:
            facts = train(args) | {"command": args.command}
        weights = sha256(args.out / "landmarks.safetensors")
        metrics = facts | {"sha256": weights} | measure(DogFinder(landmarks=args.out), args.data)
        print(landmarks_table(metrics))
        if not args.measure:
            note(args.out, metrics)


def train(args: argparse.Namespace) -> dict:
    """Trains, calibrates, saves; what it took."""
    began = time.monotonic()
    heads = args.data / "heads"
    poses: list[Pose] = read_upright(heads, "train") + read_aside(heads, "train") + read_photos(args.data, "train")
    trunk = frozen_trunk()
    views = make_views(poses, VIEWS, trunk, args.seed)
    maps = train_maps(views, args.epochs, args.width, args.seed)
    val = read_upright(heads, "val") + read_aside(heads, "val") + read_photos(args.data, "val")
    with tempfile.TemporaryDirectory() as folder:  # OUT gets them when they are whole: until then the former ones work
        save_landmarks(maps, Path(folder), args.width, [1.0, 0.0, 0.0, 0.0])
        certainty = calibrate(answers_of(Landmarks(Path(folder), trunk), val, "calibrating"))
    save_landmarks(maps, args.out, args.width, certainty)
    return {
        "parameters": sum(p.numel() for p in maps.parameters()),
        "pictures": len(poses),
        "views": len(views),
        "minutes": (time.monotonic() - began) / 60,
        "calibrated_on": len(val),
    }


def note(folder: Path, metrics: dict) -> None:
    """Puts the landmarks' numbers beside the finder's, into its metrics and its card."""
    path = folder / "metrics.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    known["landmarks"] = metrics
    write_json(known, path)
    if "test" in known:  # the finder's own
        known = json.loads(path.read_text(encoding="utf-8"))
        write_whole(folder / "README.md", card(known).encode())


if __name__ == "__main__":
    main()
