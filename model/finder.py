"""Where in a photo are the heads of dogs? The VAE learned heads that fill the frame; this finds them.

A small network on the frozen trunk that the VAE's encoder reads as well. One map says where the centre of a
head is, three say where exactly and how large (CenterNet: Zhou et al. 2019, arXiv:1904.07850).
"""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.ops import nms
from torchvision.transforms.v2 import functional as TF

from .crop import Box, Crop, Size
from .landmarks import Landmarks, Points
from .photos import PhotoError
from .pixels import from_pixels
from .pretrained import WeightsError, cpu_has_bfloat16
from .residual import ResidualBlock
from .trunk import LITE0, LITE0_CHANNELS, EfficientNetLite

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
TRUNK = "encoder.trunk."  # where weights/dogvae/model.safetensors keeps it
STRIDE = 16  # pixels of the network's view that a cell of its maps stands for
CLOSE = 2.5  # side of the region of the second look / side of the head: about a third of the view is head
MOST_HEADS = 6
GREY = (127, 127, 127)  # round a view; the trunk sees it as zero
SURE = 0.5  # from here on a head is framed by its eyes and nose
NO_DOG = "No dog's head was found in the photo; crop it to the head, or try another photo."

class NoDogError(PhotoError):
    """No head of a dog was found in the photo; its text is one plain sentence for the visitor."""


@dataclass(frozen=True)
class Head:
    """A dog's head: a square, which may reach a little out of the photo, and how sure the finder is, 0..1.

    landmarks: the eye on the picture's left, the one on its right and the nose, in pixels of the photo; sure: how
    sure those are, 0..1. A head in profile, or with hair over its eyes, has landmarks as well: unsure ones.
    """

    box: Box
    score: float
    landmarks: Points | None = None
    sure: float = 0.0


class HeadMaps(nn.Module):
    """The trunk's features at strides 8, 16 and 32 -> [B, 4, H/16, W/16].

    Channels: the logit of a head's centre lying in this cell; right and down from the middle of the cell to
    the centre, in cells; the natural logarithm of the side, in cells.
    """

    def __init__(self, width: int = 64):
        super().__init__()
        stride8, stride16, stride32 = LITE0_CHANNELS[2:]
        self.fine = nn.Conv2d(stride8 * 4 + stride16, width, 1)
        self.coarse = nn.Conv2d(stride32, width, 1)
        self.blocks = nn.Sequential(ResidualBlock(width), ResidualBlock(width))
        self.out = nn.Conv2d(width, 4, 1)
        assert self.out.bias is not None
        nn.init.constant_(self.out.bias[:1], -4.0)  # heads are rare; so are gradients that say otherwise

    def forward(self, stride8: Tensor, stride16: Tensor, stride32: Tensor) -> Tensor:
        fine = self.fine(torch.cat([F.pixel_unshuffle(stride8, 2), stride16], dim=1))
        coarse = F.interpolate(self.coarse(stride32), scale_factor=2.0)
        return self.out(F.silu(self.blocks(fine + coarse)))


class DogFinder:
    """Finds dogs' heads. It has its own weights, so it does not matter which VAE is loaded.

    folder holds config.json and model.safetensors (by training.train_finder); landmarks is the folder of what finds
    eyes and noses (by training.train_landmarks). The trunk, which both read, is stored once, in `trunk`, the weights
    of the embedded VAE. Raises WeightsError with one plain sentence.
    """

    def __init__(
        self,
        folder: str | Path = WEIGHTS / "finder",
        trunk: str | Path = WEIGHTS / "dogvae",
        landmarks: str | Path = WEIGHTS / "finder",
    ):
        config = _read_config(Path(folder) / "config.json")
        self.size, self.threshold = config["size"], config["threshold"]
        self.trunk = load_trunk(Path(trunk) / "model.safetensors")
        self.maps = HeadMaps(config["width"]).requires_grad_(False).eval()
        path = Path(folder) / "model.safetensors"
        try:
            self.maps.load_state_dict({k: v.float() for k, v in load_file(path).items()})
        except (SafetensorError, OSError, RuntimeError):
            raise WeightsError(f"{path} is not a head finder; copy it again or run training.train_finder.") from None
        self.dtype = torch.bfloat16 if cpu_has_bfloat16() else torch.float32
        for network in (self.trunk, self.maps):
            network.to(self.dtype, memory_format=torch.channels_last)
        self.landmarks = Landmarks(Path(landmarks), self.trunk)

    def features(self, x: Tensor, size: int) -> list[Tensor]:
        """Pictures [B, 3, S, S] in [-1, 1] -> the trunk's five feature maps of them at so many pixels a side."""
        x = F.interpolate(x, size=size, mode="bilinear", antialias=True)
        return self.trunk(x.to(self.dtype, memory_format=torch.channels_last))

    def find(self, photo: Image.Image, threshold: float | None = None) -> list[Head]:
        """The heads in a PIL RGB photo with their landmarks, best first, at most 6; none below the threshold (0..1)."""
        heads = [h for h in self.find_boxes(photo, threshold) if Crop.around(h.box).lies_in(photo.size)]
        faces = self.landmarks.find(photo, [Crop.around(head.box) for head in heads])
        return [replace(head, landmarks=face.points, sure=face.sure) for head, face in zip(heads, faces)]

    def head_in(self, photo: Image.Image, box: Box) -> Head:
        """The head in a box that somebody drew round it. Raises PhotoError for a box outside the photo."""
        [face] = self.landmarks.find(photo, [Crop.around(box)])
        return Head(box, 1.0, face.points, face.sure)

    def find_boxes(self, photo: Image.Image, threshold: float | None = None) -> list[Head]:
        """As `find`, without the landmarks.

        It looks twice: at the whole photo, then closely at each place where a head might be. A score is the
        geometric mean of what both looks say.
        """
        threshold = self.threshold if threshold is None else threshold
        region, size = letterbox(photo.size, self.size)
        candidates = decode(self.maps_of([see(photo, region, size)])[0], region, threshold**2)[:MOST_HEADS]
        if not candidates:
            return []
        regions = [_about(head.box, CLOSE) for head in candidates]
        maps = self.maps_of([see(photo, region, (self.size, self.size)) for region in regions])
        heads = []
        for head, region, seen in zip(candidates, regions, maps):
            if closer := _in_the_middle(decode(seen, region, threshold**2), region):
                heads.append(Head(closer.box, math.sqrt(head.score * closer.score)))
        return _distinct([head for head in heads if head.score >= threshold])

    @torch.inference_mode()
    def maps_of(self, views: list[Image.Image]) -> Tensor:
        """Pictures of one size, sides multiples of 32 -> the maps, float32 [B, 4, H/16, W/16]."""
        x = from_pixels(torch.stack([TF.pil_to_tensor(view) for view in views]))
        features = self.trunk(x.to(self.dtype, memory_format=torch.channels_last))
        return self.maps(*features[2:]).float()

    def frame(self, photo: Image.Image, head: Head | None = None, frame: str = "eyes") -> Crop:
        """The square of a head (the best, if none is given), as a model's training pictures were cut (`Config.frame`).

        "eyes": upright by eyes and nose where they are sure, else round the box at the same zoom. "box": with more
        room, as the weights of version 0.1. Raises NoDogError where no head is given and none is found.
        """
        if head is None:
            heads = self.find(photo)
            if not heads:
                raise NoDogError(NO_DOG)
            head = heads[0]
        return frame_of(head, photo.size, frame)

    def crop(self, photo: Image.Image, head: Head | None = None) -> Image.Image:
        """The picture in that square, 256 x 256 pixels, as in the training set. Raises NoDogError."""
        return self.frame(photo, head).cut(photo, 256)


def frame_of(head: Head, size: Size, frame: str = "eyes") -> Crop:
    """As `DogFinder.frame`, of a head in a photo of this size."""
    if frame == "box":
        return Crop.loose(head.box, size)
    if head.landmarks and by_eyes(head, size):
        return Crop.from_landmarks(head.landmarks)
    return Crop.around(head.box)


def by_eyes(head: Head, size: Size) -> bool:
    """Whether a head's landmarks are sure enough to frame it by, and make a frame that lies in a photo of this size."""
    if head.landmarks is None or head.sure < SURE:
        return False
    try:
        return Crop.from_landmarks(head.landmarks).lies_in(size)
    except PhotoError:
        return False


def letterbox(size: tuple[int, int], longer: int) -> tuple[Box, tuple[int, int]]:
    """The region round a photo of this size that is shown `longer` pixels wide or high, and the view's size.

    The view's sides are multiples of 32, no more of them than the photo needs: less to look at.
    """
    scale = longer / max(size)
    width, height = (max(32, math.ceil(side * scale / 32 - 1e-6) * 32) for side in size)
    (x0, x1), (y0, y1) = (((w - v / scale) / 2, (w + v / scale) / 2) for w, v in zip(size, (width, height)))
    return (x0, y0, x1, y1), (width, height)


def see(photo: Image.Image, region: Box, size: tuple[int, int]) -> Image.Image:
    """What lies in a region of the photo, scaled to this size; grey where it reaches out of the photo."""
    x0, y0, x1, y1 = region
    scale = size[0] / (x1 - x0)
    inside = (max(x0, 0), max(y0, 0), min(x1, photo.width), min(y1, photo.height))
    view = Image.new("RGB", size, GREY)
    if inside[2] - inside[0] > 0 and inside[3] - inside[1] > 0:
        left, top, right, bottom = (round((v - start) * scale) for v, start in zip(inside, (x0, y0, x0, y0)))
        to = (max(right - left, 1), max(bottom - top, 1))
        view.paste(photo.resize(to, Image.Resampling.BILINEAR, box=inside, reducing_gap=2.0), (left, top))
    return view


def decode(maps: Tensor, region: Box, threshold: float) -> list[Head]:
    """Maps [4, H, W] of a view of a region -> the heads there, best first, in pixels of the photo.

    A head is a cell that beats its 8 neighbours.
    """
    heat = maps[0].sigmoid()
    peaks = (heat == F.max_pool2d(heat[None], 3, stride=1, padding=1)[0]) & (heat >= threshold)
    rows, columns = peaks.nonzero(as_tuple=True)
    right, down, log_side = maps[1:, rows, columns]
    cell = (region[2] - region[0]) / heat.shape[1]  # in pixels of the photo
    x, y = region[0] + (columns + 0.5 + right) * cell, region[1] + (rows + 0.5 + down) * cell
    side = log_side.clamp(math.log(0.5), math.log(64)).exp() * cell
    boxes = torch.stack([x - side / 2, y - side / 2, x + side / 2, y + side / 2], dim=1)
    return _distinct([Head(tuple(box), score) for box, score in zip(boxes.tolist(), heat[rows, columns].tolist())])


def _distinct(heads: list[Head]) -> list[Head]:
    """Best first; of two that overlap by more than 0.4 (intersection over union) the better stays."""
    if not heads:
        return []
    boxes, scores = torch.tensor([h.box for h in heads]), torch.tensor([h.score for h in heads])
    return [heads[i] for i in nms(boxes, scores, 0.4).tolist()]


def _about(box: Box, times: float) -> Box:
    """The square of so many times the box's side about its centre."""
    (x0, y0, x1, y1), half = box, times * (box[2] - box[0]) / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return x - half, y - half, x + half, y + half


def _in_the_middle(heads: list[Head], region: Box) -> Head | None:
    """The head that a close look was meant for: sure, and near the middle of the region."""
    middle, side = ((region[0] + region[2]) / 2, (region[1] + region[3]) / 2), region[2] - region[0]

    def fit(head: Head) -> float:
        x0, y0, x1, y1 = head.box
        return head.score * math.exp(-((math.dist(middle, ((x0 + x1) / 2, (y0 + y1) / 2)) / (0.25 * side)) ** 2))

    return max(heads, key=fit, default=None)


def load_trunk(path: Path) -> EfficientNetLite:
    """The trunk out of a file of DogVAE weights; nothing else of the file is read. Raises WeightsError."""
    trunk = EfficientNetLite(**LITE0)
    try:
        with safe_open(path, "pt") as file:
            names = [name for name in file.keys() if name.startswith(TRUNK)]
            trunk.load_state_dict({name.removeprefix(TRUNK): file.get_tensor(name).float() for name in names})
    except (SafetensorError, OSError, RuntimeError):
        raise WeightsError(f"{path} does not hold the trunk that the head finder reads; copy it again.") from None
    return trunk.eval()


def _read_config(path: Path) -> dict:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        width, size, threshold = config["width"], config["size"], config["threshold"]
        if config["format"] == 1 and 8 <= width <= 256 and 64 <= size <= 1024 and 0 < threshold < 1:
            return config
    except FileNotFoundError:
        raise WeightsError(f"{path.parent} has no config.json, so it holds no head finder.") from None
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise WeightsError(f"{path} can't be used; copy the head finder again.")
