"""The two eyes and the nose of a dog's head, and how sure they are.

A small network on the frozen trunk that finder and encoder read as well. It looks twice: at the square round the head's
box, then, with its mirror image, at the upright frame that the first answer gives.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as TF

from .crop import Crop, Point
from .photos import PhotoError
from .pixels import from_pixels
from .pretrained import WeightsError
from .residual import ResidualBlock
from .trunk import LITE0_CHANNELS, EfficientNetLite

SIZE = 128  # pixels a side of a view
NEAREST, FARTHEST = 0.005, 0.5  # sides: disagreements below and above count as these
MIRROR = [1, 0, 2]  # in the mirror, the left eye is the right one

Points = tuple[Point, Point, Point]  # the eye on the picture's left, the one on its right, the nose


@dataclass(frozen=True)
class Face:
    """Landmarks in pixels of the photo. sure: of such answers, the share whose frame is right, 0..1."""

    points: Points
    sure: float


@dataclass
class Evidence:
    """What two looks at a head saw. points: landmarks [3, 2] in pixels of the photo; first: those of the first look.

    signs [3]: from which it is computed how sure the points are. The logit that eyes and nose can be seen; the
    logarithms of two distances, in sides of the frame: of the points from those in the mirror image, and of the second
    look's points from the first's. None where the first look found no face.
    """

    points: Tensor
    first: Tensor
    signs: Tensor | None = None


class LandmarkMaps(nn.Module):
    """The trunk's features at strides 8, 16 and 32 of views [B, 3, S, S] -> three places each.

    Returns points [B, 3, 2], x and y as shares of the view; maps [B, 3, S/8, S/8], the logits of where each lies, of
    which the points are the mean (soft-argmax: Nibali et al. 2018, arXiv:1801.07372); seen [B], the logit that both
    eyes and the nose can be seen.
    """

    def __init__(self, width: int = 64):
        super().__init__()
        self.fine = nn.Conv2d(LITE0_CHANNELS[2] * 4 + LITE0_CHANNELS[3], width, 1)
        self.coarse = nn.Conv2d(LITE0_CHANNELS[4], width, 1)
        self.blocks = nn.Sequential(ResidualBlock(width), ResidualBlock(width))
        self.out = nn.Conv2d(width, 3 * 4, 1)
        self.seen = nn.Linear(3 * width + LITE0_CHANNELS[4], 1)

    def forward(self, stride8: Tensor, stride16: Tensor, stride32: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.fine(torch.cat([F.pixel_unshuffle(stride8, 2), stride16], dim=1))
        h = F.silu(self.blocks(fine + F.interpolate(self.coarse(stride32), scale_factor=2.0)))
        maps = F.pixel_shuffle(self.out(h), 2).float()  # computed at stride 16, the result at stride 8
        share = maps.flatten(2).softmax(-1)  # [B, 3, cells]
        middles = (torch.arange(maps.shape[-1], device=maps.device) + 0.5) / maps.shape[-1]
        y, x = torch.meshgrid(middles, middles, indexing="ij")
        points = torch.stack([(share * x.flatten()).sum(-1), (share * y.flatten()).sum(-1)], dim=-1)
        near = F.avg_pool2d(share.view_as(maps), 2, divisor_override=1).flatten(2)
        there = near.to(h.dtype) @ h.flatten(2).transpose(1, 2)  # [B, 3, width]: what is seen at each place
        seen = self.seen(torch.cat([there.flatten(1), stride32.mean((2, 3)).to(h.dtype)], dim=1))
        return points, maps, seen[:, 0].float()


class Landmarks:
    """Finds eyes and noses. folder holds landmarks.json and landmarks.safetensors (by training.train_landmarks).

    Raises WeightsError with one plain sentence.
    """

    def __init__(self, folder: Path, trunk: EfficientNetLite):
        """trunk: in the type and memory format in which it is to be run."""
        self.trunk, self.dtype = trunk, next(trunk.parameters()).dtype
        config = _read_config(folder / "landmarks.json")
        self.certainty = torch.tensor(config["certainty"])
        self.maps = LandmarkMaps(config["width"]).requires_grad_(False).eval()
        path = folder / "landmarks.safetensors"
        try:
            self.maps.load_state_dict({k: v.float() for k, v in load_file(path).items()})
        except (SafetensorError, OSError, RuntimeError):
            raise WeightsError(f"{path} does not find eyes; copy it again or run training.train_landmarks.") from None
        self.maps.to(self.dtype, memory_format=torch.channels_last)

    def find(self, photo: Image.Image, crops: list[Crop]) -> list[Face]:
        """The face in each of these squares of a PIL RGB photo (`Crop.around` a head's box)."""
        return [self.judge(evidence) for evidence in self.evidence(photo, crops)]

    def judge(self, evidence: Evidence) -> Face:
        """How sure a face is, by logistic regression on its signs."""
        points = as_points(evidence.points.tolist())
        if evidence.signs is None:
            return Face(points, 0.0)
        return Face(points, torch.sigmoid(evidence.signs @ self.certainty[:-1] + self.certainty[-1]).item())

    def evidence(self, photo: Image.Image, crops: list[Crop]) -> list[Evidence]:
        """What two looks see in each of these squares."""
        if not crops:
            return []
        at_first, _ = self.places_in([crop.cut(photo, SIZE) for crop in crops])
        places = [crop.to_photo(points) for crop, points in zip(crops, at_first)]
        frames = [_frame(points, photo) for points in places]
        views = [frame.cut(photo, SIZE) for frame in frames if frame]
        if not views:
            return [Evidence(points, points) for points in places]
        points, seen = self.places_in([*views, *(view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for view in views)])
        (straight, mirrored), seen = points.chunk(2), seen.view(2, -1).mean(0)
        mirrored = torch.stack([1 - mirrored[..., 0], mirrored[..., 1]], dim=-1)[:, MIRROR]
        answers: list[Evidence] = []
        found = zip((straight + mirrored) / 2, _apart(straight, mirrored), seen)
        for first, frame in zip(places, frames):
            if frame is None:
                answers.append(Evidence(first, first))
                continue
            second, apart, logit = next(found)
            signs = torch.stack([logit, apart.log(), _apart(second, frame.to_square(first)).log()])
            answers.append(Evidence(frame.to_photo(second), first, signs))
        return answers

    @torch.inference_mode()
    def places_in(self, views: list[Image.Image]) -> tuple[Tensor, Tensor]:
        """Views of SIZE pixels a side -> points [B, 3, 2] as shares of a view; logits [B] that they can be seen."""
        x = from_pixels(torch.stack([TF.pil_to_tensor(view) for view in views]))
        points, _, seen = self.maps(*self.trunk(x.to(self.dtype, memory_format=torch.channels_last))[2:])
        return points, seen


def as_points(three: Iterable[Iterable[float]]) -> Points:
    """x, y of each -> eye, eye and nose."""
    left, right, nose = ((x, y) for x, y in three)
    return left, right, nose


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """The mean distance of points [..., 3, 2] -> [...], kept from NEAREST to FARTHEST, since its logarithm is taken."""
    return (a - b).norm(dim=-1).mean(-1).clamp(NEAREST, FARTHEST)


def _frame(points: Tensor, photo: Image.Image) -> Crop | None:
    try:
        frame = Crop.from_landmarks(as_points(points.tolist()))
    except PhotoError:
        return None
    return frame if frame.lies_in(photo.size) else None


def _read_config(path: Path) -> dict:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        certainty = [float(v) for v in config["certainty"]]
        if config["format"] == 1 and 8 <= config["width"] <= 256 and len(certainty) == 4:
            if all(map(math.isfinite, certainty)):
                return config
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise WeightsError(f"{path} can't be used; copy it again or run training.train_landmarks.")
