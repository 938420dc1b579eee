"""What the head finder learns from: photos seen nearer and farther, turned, mirrored, in other light.

The trunk is frozen, so its features of every view are computed once; training the small network is then quick.
"""

import csv
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torchvision.transforms.v2 import functional as TF
from tqdm import tqdm

from model.crop import Box
from model.finder import GREY, STRIDE
from model.photos import open_photo
from model.pixels import from_pixels
from model.trunk import LITE0_CHANNELS, EfficientNetLite

from ..data.folder import DataError

SIZE = 256  # pixels a side of a view
CELLS = SIZE // STRIDE
HEAD_PIXELS = (28, 230)  # sides of heads in views, uniform in their logarithm
MAX_ZOOM = 1.8  # beyond it, a photo of 288 pixels is a blur
TURN = 20  # degrees, either way
OVERSIZE = 0.25  # of a head's side may lie outside the view; heads further out are not judged
VIEWS = {"dog": 10, "cat": 14, "animal": 16, "thing": 6}  # of each photo


@dataclass
class Labelled:
    """A photo of the data set and the boxes of its dogs' heads; none: a photo without dogs."""

    path: Path
    boxes: list[Box]
    kind: str  # dog, or what it shows instead: cat, animal, thing


@dataclass
class Views:
    """Features of N views (fp16) and what to learn from them."""

    stride8: Tensor  # [N, 40, 32, 32]
    stride16: Tensor  # [N, 112, 16, 16]
    stride32: Tensor  # [N, 320, 8, 8]
    targets: Tensor  # [N, 5, 16, 16]: see `target`

    def __len__(self) -> int:
        return len(self.targets)


def read_labels(data: Path, split: str) -> list[Labelled]:
    """The photos of a split of DATA/photos.csv. Raises DataError."""
    try:
        with open(data / "photos.csv", newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == split]
        boxes = [[tuple(box) for box in json.loads(row["boxes"])] for row in rows]
        return [Labelled(data / "photos" / row["file"], b, _kind(row, b)) for row, b in zip(rows, boxes)]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{data} has no usable photos.csv ({error}).") from None


def _kind(row: dict[str, str], boxes: list[Box]) -> str:
    if boxes:
        return "dog"
    return "cat" if row["source"] in ("dogs-vs-cats", "oxford-iiit-pet") else row["file"].split("_")[0]


def view_of(photo: Image.Image, boxes: list[Box], behind: Image.Image, rng: random.Random) -> tuple[Image.Image, list]:
    """A random view of a photo, SIZE pixels a side, and (centre x, centre y, side) of each head in it.

    behind: a photo without dogs, seen where a small photo leaves room, half of the time; else grey.
    """
    if rng.random() < 0.5:
        photo, boxes = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), _mirror(boxes, photo.width)
    x0, y0, x1, y1 = rng.choice(boxes) if boxes else _somewhere(photo, rng)
    wanted = math.exp(rng.uniform(*map(math.log, HEAD_PIXELS)))
    scale = min(wanted / (x1 - x0), MAX_ZOOM * SIZE / 288)
    angle = rng.uniform(-TURN, TURN) if rng.random() < 0.6 else 0.0
    side = (x1 - x0) * scale
    room = max(SIZE / 2 - side * (0.5 - OVERSIZE * rng.random()), 0)
    if (spare := max(photo.size) * scale) <= SIZE and rng.random() < 0.5:
        room = min(room, (SIZE - spare) / 2)  # about where letterboxing puts it
    at = [SIZE / 2 + rng.uniform(-room, room) for _ in range(2)]

    # Output pixel p shows photo pixel centre + R(angle) (p - at) / scale; first scaled down cleanly.
    small = photo.resize([max(1, round(s * scale)) for s in photo.size], Image.Resampling.BICUBIC)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    cx, cy = (x0 + x1) / 2 * scale, (y0 + y1) / 2 * scale
    matrix = (cos, sin, cx - cos * at[0] - sin * at[1], -sin, cos, cy + sin * at[0] - cos * at[1])
    canvas = _background(behind, rng) if rng.random() < 0.5 else Image.new("RGB", (SIZE, SIZE), GREY)
    shape = Image.new("L", small.size, 255)
    how = (SIZE, SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    seen, mask = (picture.transform(*how) for picture in (small, shape))
    canvas.paste(seen, mask=mask)

    heads = []
    for bx0, by0, bx1, by1 in boxes:
        dx, dy = (bx0 + bx1) / 2 * scale - cx, (by0 + by1) / 2 * scale - cy
        heads.append((at[0] + cos * dx - sin * dy, at[1] + sin * dx + cos * dy, (bx1 - bx0) * scale))
    return relight(canvas, rng), heads


def _mirror(boxes: list[Box], width: int) -> list[Box]:
    return [(width - x1, y0, width - x0, y1) for x0, y0, x1, y1 in boxes]


def _somewhere(photo: Image.Image, rng: random.Random) -> Box:
    """A square in a photo without dogs, of the size that heads have in the photos with them."""
    side = min(photo.size) * rng.uniform(0.45, 1)
    x, y = (rng.uniform(0, s - side) for s in photo.size)
    return x, y, x + side, y + side


def _background(photo: Image.Image, rng: random.Random) -> Image.Image:
    side = min(photo.size) * rng.uniform(0.5, 1)
    x, y = (rng.uniform(0, s - side) for s in photo.size)
    return photo.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=(x, y, x + side, y + side))


def relight(view: Image.Image, rng: random.Random) -> Image.Image:
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        if rng.random() < 0.5:
            view = enhance(view).enhance(rng.uniform(0.6, 1.4))
    return view.convert("L").convert("RGB") if rng.random() < 0.05 else view


def target(heads: list[tuple[float, float, float]]) -> Tensor:
    """(centre x, centre y, side) of each head in pixels of a view -> [5, CELLS, CELLS].

    0: how near to a head's centre this cell is, 1 at the cell that holds it, a bell of 0.12 sides about it;
       -1 where it does not count, under heads that are mostly outside the view.
    1, 2, 3: right and down to the centre and the logarithm of the side, in cells (HeadMaps).
    4: how much those count: the bell's height; 0 away from heads.
    """
    out = torch.zeros(5, CELLS, CELLS)
    middle = torch.arange(CELLS) + 0.5
    for x, y, side in sorted((tuple(v / STRIDE for v in head) for head in heads), key=lambda head: -head[2]):
        right, down = x - middle[None, :].expand(CELLS, -1), y - middle[:, None].expand(-1, CELLS)
        outside = max(side / 2 - min(x, y, CELLS - x, CELLS - y), 0)
        if outside > side * (OVERSIZE + 0.01):
            out[0][(right.abs() < side / 2) & (down.abs() < side / 2)] = -1
            continue
        bell = torch.exp(-(right.square() + down.square()) / (2 * max(0.12 * side, 0.5) ** 2))
        nearer = bell > out[4]
        bell_at_one = bell.clone()
        bell_at_one[min(int(y), CELLS - 1), min(int(x), CELLS - 1)] = 1
        out[0] = torch.maximum(out[0], bell_at_one)
        new = torch.stack([right, down, torch.full_like(right, math.log(side)), bell])
        out[1:] = torch.where(nearer & (bell > 0.2), new, out[1:])
    return out


@torch.inference_mode()
def make_views(photos: list[Labelled], counts: dict[str, int], trunk: EfficientNetLite, seed: int) -> Views:
    """counts[kind] views of each photo, their features computed in batches of 32."""
    rng = random.Random(seed)
    without = [p for p in photos if not p.boxes]
    wanted = [p for p in photos for _ in range(counts[p.kind])]
    rng.shuffle(wanted)
    shapes = zip(LITE0_CHANNELS[2:], (CELLS * 2, CELLS, CELLS // 2))
    features = [torch.empty(len(wanted), c, s, s, dtype=torch.float16) for c, s in shapes]
    targets = torch.empty(len(wanted), 5, CELLS, CELLS)
    dtype = next(trunk.parameters()).dtype
    for start in tqdm(range(0, len(wanted), 32), "views", unit=" batches"):
        pictures = []
        for i, photo in enumerate(wanted[start : start + 32], start):
            behind = open_photo(rng.choice(without).path) if without else Image.new("RGB", (8, 8), GREY)
            view, heads = view_of(open_photo(photo.path), photo.boxes, behind, rng)
            pictures.append(TF.pil_to_tensor(view))
            targets[i] = target(heads)
        x = from_pixels(torch.stack(pictures))
        batch = trunk(x.to(dtype, memory_format=torch.channels_last))[2:]
        for store, computed in zip(features, batch):
            store[start : start + len(x)] = computed
    stride8, stride16, stride32 = features
    return Views(stride8, stride16, stride32, targets)
