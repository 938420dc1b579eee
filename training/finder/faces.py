"""What the landmarks learn from: heads turned, moved, scaled, mirrored and in other light, and what is no face.

Three kinds of pictures: upright heads with their landmarks (heads/train), heads that look aside (heads/aside), and
whole photos (photos.csv) with dogs whose landmarks a teacher found, surely or not, and without dogs. As for the
finder, the frozen trunk's features of every view are computed once.
"""

import csv
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF
from tqdm import tqdm

from model import PhotoError
from model.crop import Crop
from model.landmarks import MIRROR, SIZE, Points, as_points
from model.photos import open_photo
from model.pixels import from_pixels
from model.trunk import LITE0_CHANNELS, EfficientNetLite

from ..data.folder import DataError
from .views import read_labels, relight

TRUSTED, ASIDE = 0.030, 0.090  # the teacher's spread, in sides: sure below the first, no face above the second
SIDE = 256  # pixels, of the pictures in heads/
VIEWS = {"upright": 1, "photo": 2, "aside": 1, "other": 1}  # of each picture, by its kind
TURN, MOVE, SCALE = 30, 0.14, 1.4  # the most that a view is turned (degrees), moved (sides) and scaled, either way
NEARLY_UPRIGHT = 0.4  # share of the views that are moved a quarter as far, as the second look sees heads
COARSE = (48, 100)  # pixels a side of a quarter of the views before they are enlarged: heads far away
CELLS = (SIZE // 8, SIZE // 16, SIZE // 32)


@dataclass
class Pose:
    """A head in a picture: the square that shows it, and its landmarks. sure: 1, 0, or None where one can't tell."""

    path: Path
    kind: str  # of VIEWS
    square: Crop
    points: Points | None
    sure: int | None


@dataclass
class FaceViews:
    """Features of N views (fp16) and what to learn from them."""

    features: list[Tensor]  # at strides 8, 16 and 32
    points: Tensor  # [N, 3, 2] as shares of the view; NaN where they are not known
    sure: Tensor  # [N]; NaN where it does not count

    def __len__(self) -> int:
        return len(self.points)


def read_upright(heads: Path, split: str) -> list[Pose]:
    """The heads of DATA/heads/<split>, landmarks and all. Raises DataError."""
    try:
        with open(heads / f"{split}.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = [(f"{mark}_x", f"{mark}_y") for mark in ("left", "right", "nose")]
        points = [as_points((float(row[x]), float(row[y])) for x, y in names) for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{heads} has no usable {split}.csv ({error}).") from None
    whole = Crop.middle((SIDE, SIDE))
    return [Pose(heads / split / row["file"], "upright", whole, p, 1) for row, p in zip(rows, points)]


def read_aside(heads: Path, split: str) -> list[Pose]:
    """The heads of DATA/heads/aside/<split>: their landmarks can't be seen. None where there is no such folder."""
    whole = Crop.middle((SIDE, SIDE))
    return [Pose(path, "aside", whole, None, 0) for path in sorted((heads / "aside" / split).glob("*.webp"))]


def read_photos(data: Path, split: str) -> list[Pose]:
    """The heads in the photos of a split of DATA/photos.csv, and a square of each photo without. Raises DataError."""
    labels = {photo.path: photo for photo in read_labels(data, split)}
    try:
        with open(data / "photos.csv", encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == split]
        marks = {data / "photos" / row["file"]: json.loads(row.get("landmarks") or "[]") for row in rows}
        poses = []
        for path, photo in labels.items():
            for box, mark in zip(photo.boxes, marks[path], strict=True):
                seen = as_points(mark["points"]) if mark["spread"] < TRUSTED else None
                sure = 1 if seen else 0 if mark["spread"] > ASIDE else None
                square = Crop.from_landmarks(seen) if seen else Crop.around(box)
                poses.append(Pose(path, "photo", square, seen, sure))
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{data}/photos.csv has no usable landmarks ({error}).") from None
    for path, photo in labels.items():
        if not photo.boxes:
            with Image.open(path) as picture:
                poses.append(Pose(path, "other", Crop.middle(picture.size), None, 0))
    return poses


def moved(square: Crop, rng: random.Random) -> Crop:
    """The square, turned, moved and scaled at random."""
    far = 0.25 if rng.random() < NEARLY_UPRIGHT else 1.0
    x, y = (v + rng.uniform(-far, far) * MOVE * square.side for v in square.centre)
    side = square.side * math.exp(rng.uniform(-far, far) * math.log(SCALE))
    return Crop((x, y), side, square.angle + math.radians(rng.uniform(-far, far) * TURN))


def view_of(pose: Pose, photo: Image.Image, rng: random.Random) -> tuple[Image.Image, Tensor]:
    """A random view of a head, SIZE pixels a side, and its landmarks [3, 2] as shares of the view, or NaN."""
    square = moved(pose.square, rng)
    while not square.lies_in(photo.size):
        square = moved(pose.square, rng)
    view = square.cut(photo, rng.randint(*COARSE) if rng.random() < 0.25 else SIZE)
    view = view.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    points = square.to_square(torch.tensor(pose.points)) if pose.points else torch.full((3, 2), math.nan)
    if rng.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        points = torch.stack([1 - points[:, 0], points[:, 1]], dim=1)[MIRROR]
    return relight(view, rng), points


@torch.inference_mode()
def make_views(poses: list[Pose], counts: dict[str, int], trunk: EfficientNetLite, seed: int) -> FaceViews:
    """counts[kind] views of each head that can be read, their features computed in batches of 32."""
    rng = random.Random(seed)
    wanted = [pose for pose in poses for _ in range(counts[pose.kind])]
    rng.shuffle(wanted)
    shapes = [(channels, cells, cells) for channels, cells in zip(LITE0_CHANNELS[2:], CELLS)]
    features = [torch.empty(len(wanted), *shape, dtype=torch.float16) for shape in shapes]
    points, sure, n = torch.empty(len(wanted), 3, 2), torch.empty(len(wanted)), 0
    dtype = next(trunk.parameters()).dtype
    for start in tqdm(range(0, len(wanted), 32), "views", unit=" batches", mininterval=5):
        pictures, first = [], n
        for pose in wanted[start : start + 32]:
            try:
                view, points[n] = view_of(pose, open_photo(pose.path), rng)
            except PhotoError:
                continue
            sure[n] = math.nan if pose.sure is None else pose.sure
            pictures.append(TF.pil_to_tensor(view))
            n += 1
        if pictures:
            x = from_pixels(torch.stack(pictures))
            for store, computed in zip(features, trunk(x.to(dtype, memory_format=torch.channels_last))[2:]):
                store[first:n] = computed
    if not n:
        raise DataError("None of the pictures that the landmarks learn from can be read.")
    return FaceViews([store[:n] for store in features], points[:n], sure[:n])
