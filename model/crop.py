"""The upright square that is cut out of a photo, and put back into it: where it lies, how large and turned it is.

Three rules say which square belongs to a head. `from_landmarks`: by its eyes and nose, so that every head stands
upright, its eyes at one place (AFHQ and FFHQ are aligned so). `around`: by its box alone, at the same zoom, where eyes
and nose can't be seen. `loose`: by its box with room to spare, as the weights of version 0.1 learned it.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from .photos import PhotoError

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels of the photo
Point = tuple[float, float]  # x, y
Size = tuple[int, int]  # width, height

FRAMES = ("eyes", "box")  # how training pictures are cut: by `from_landmarks` or else `around`; by `loose`
MARGIN = 1.4  # side of the loose square / longer side of the box
ZOOM, RAISED = 1.19, 0.06  # side of the square `around` a box / longer side of the box; how far up it lies, in sides
EYES_APART, NOSE_BELOW = 0.36, 0.335  # most distance of the eyes, and of the nose from them, in sides of the frame
EYES_ABOVE, ASIDE = 0.07, 0.35  # eyes above the middle, in sides; how far a nose at one side moves the frame there
BLUR, SEAM = 10 / 256, 6 / 256  # of the side: what lies beyond the photo's edge
LIGHT = 32  # pixels a side at which the light is matched
SOFT = 0.16  # of the side: width of the edge over which a pasted picture fades in
MOST_SIDE = 4  # of the photo's longer side
NOT_THERE = "The crop does not lie in the photo; please draw it again."


@dataclass(frozen=True)
class Crop:
    """A square in a photo. centre and side: pixels of the upright photo; angle: radians, clockwise as seen."""

    centre: Point
    side: float
    angle: float = 0.0

    @classmethod
    def from_landmarks(cls, points: tuple[Point, Point, Point]) -> "Crop":
        """The frame of a head by its two eyes and its nose, in pixels of the photo.

        Eyes lie at 43 % of its height. The angle is that of the line between the eyes; where that line is short, as in
        a head that looks aside, it is rather half the lean of the line to the nose. Raises PhotoError for points that
        are no face.
        """
        (lx, ly), (rx, ry), (nx, ny) = _face(points)
        ex, ey = (lx + rx) / 2, (ly + ry) / 2
        vx, vy = nx - ex, ny - ey
        apart, below = math.hypot(rx - lx, ry - ly), math.hypot(vx, vy)
        if max(apart, below) < 1:
            raise PhotoError("Eyes and nose lie in one point; please put each in its place.")
        if vy * (rx - lx) - vx * (ry - ly) < 0 or vy <= 0:
            raise PhotoError("The nose lies above the eyes; please turn the photo, or put each in its place.")
        trust = min(1.0, apart / (0.9 * below)) ** 2 if below else 1.0
        lean = max(-0.5, min(0.5, math.atan2(-vx, vy)))
        angle = trust * math.atan2(ry - ly, rx - lx) + (1 - trust) * lean / 2
        side = max(apart / EYES_APART, below / NOSE_BELOW)
        cos, sin = math.cos(angle), math.sin(angle)
        right, down = ASIDE * (vx * cos + vy * sin), EYES_ABOVE * side
        return cls((ex + right * cos - down * sin, ey + right * sin + down * cos), side, angle)

    @classmethod
    def around(cls, box: Box) -> "Crop":
        """The square round a head's box at the frame's zoom: for a head whose eyes and nose can't be seen."""
        x0, y0, x1, y1 = box
        side = ZOOM * max(x1 - x0, y1 - y0, 1)
        return cls(((x0 + x1) / 2, (y0 + y1) / 2 - RAISED * side), side)

    @classmethod
    def loose(cls, box: Box, size: Size) -> "Crop":
        """The square of 1.4 times a box about its centre, moved to stay inside a photo of this size; whole pixels.

        Of a box that is no square, the longer side counts. Larger than the photo, it becomes the largest square.
        """
        x0, y0, x1, y1 = box
        side = max(1, min(round(MARGIN * max(x1 - x0, y1 - y0)), *size))
        left, top = (
            min(max(round((a + b - side) / 2), 0), whole - side) for a, b, whole in zip((x0, y0), (x1, y1), size)
        )
        return cls((left + side / 2, top + side / 2), side)

    @classmethod
    def middle(cls, size: Size) -> "Crop":
        """The largest square in the middle of a photo of this size."""
        side = min(size)
        left, top = ((whole - side) // 2 for whole in size)
        return cls((left + side / 2, top + side / 2), side)

    def head(self, frame: str) -> Box:
        """The box of a head for which `loose` (frame "box") or `around` ("eyes") would give this square, unturned."""
        down = RAISED * self.side if frame == "eyes" else 0.0
        half, (x, y) = self.side / (ZOOM if frame == "eyes" else MARGIN) / 2, self.centre
        return x - half, y + down - half, x + half, y + down + half

    def to_photo(self, points: Tensor) -> Tensor:
        """Places in the square [..., 2] as shares of its side, 0..1 -> pixels of the photo."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turn = torch.tensor([[cos, sin], [-sin, cos]], dtype=points.dtype)
        return torch.tensor(self.centre, dtype=points.dtype) + self.side * (points - 0.5) @ turn

    def to_square(self, points: Tensor) -> Tensor:
        """The inverse of `to_photo`."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turn = torch.tensor([[cos, -sin], [sin, cos]], dtype=points.dtype)
        return (points - torch.tensor(self.centre, dtype=points.dtype)) @ turn / self.side + 0.5

    def corners(self) -> list[Point]:
        """In pixels of the photo: top left, top right, bottom right, bottom left of the upright picture."""
        return [tuple(p) for p in self.to_photo(torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1]]).double()).tolist()]

    def outside(self, size: Size) -> float:
        """The share of the square that lies beyond the edge of a photo of this size, 0..1."""
        return (self._depth(size, 128) < 0).float().mean().item()

    def lies_in(self, size: Size) -> bool:
        """Whether there is something of the photo in the square, which is not absurdly larger."""
        inside = all(-self.side / 2 < v < whole + self.side / 2 for v, whole in zip(self.centre, size))  # not NaN
        return inside and 0 < self.side <= MOST_SIDE * max(size) and math.isfinite(self.angle)

    # ---- Cut and paste

    def cut(self, photo: Image.Image, size: int) -> Image.Image:
        """The square as an upright picture, `size` pixels a side; photo: PIL RGB.

        Shrinking is antialiased. Beyond the photo's edge lies its mirrored continuation, blurred, so that no second
        dog is seen there. Raises PhotoError for a square that does not lie in the photo, or is far too large.
        """
        if not self.lies_in(photo.size):
            raise PhotoError(NOT_THERE)
        if whole := self._in_whole_pixels(photo.size):  # nothing to turn: Pillow's own antialiasing does it
            return photo.crop(whole).resize((size, size), Image.Resampling.LANCZOS)
        finer = math.ceil(self.side / size)  # drawn so many times larger by bicubic sampling, then averaged
        region = _Region(photo, self.corners(), shrink=max(1, finer // 2))  # and averaged before, which is cheaper
        finer = math.ceil(finer / max(1, finer // 2))
        origin, across, down = (region.at(p) for p in (self.corners()[i] for i in (0, 1, 3)))
        step = [[(to - start) / (finer * size) for start, to in zip(origin, end)] for end in (across, down)]
        matrix = (step[0][0], step[1][0], origin[0], step[0][1], step[1][1], origin[1])
        large = (finer * size, finer * size)
        picture = region.picture.transform(large, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
        picture = picture.reduce(finer)
        depth = self._depth(photo.size, size)
        if (depth >= SEAM).all():
            return picture
        seen = TF.to_pil_image((255 * _smooth(depth / SEAM)).round().to(torch.uint8)[None])
        return Image.composite(picture, picture.filter(ImageFilter.GaussianBlur(BLUR * size)), seen)

    def paste(self, photo: Image.Image, picture: Image.Image) -> Image.Image:
        """The photo with an upright square picture put in this place: soft-edged, its edge in the photo's light.

        Raises PhotoError as `cut` does.
        """
        place = self.cut(photo, LIGHT)
        own = min(picture.width, max(1, math.ceil(self.side)))  # more pixels than the place has can't be seen
        picture = picture.convert("RGB").resize((own, own), Image.Resampling.LANCZOS)
        picture = _in_the_light_of(place, picture)
        whole = _smooth(self._depth(photo.size, own) / (2 * SEAM))  # not so at the photo's edge, where cut blurred it
        seen = _edge(own, SOFT) * whole
        mask = TF.to_pil_image((255 * seen).round().to(torch.uint8)[None])
        xs, ys = zip(*self.corners())
        left, top = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
        size = min(photo.width, math.ceil(max(xs))) - left, min(photo.height, math.ceil(max(ys))) - top
        pixels = torch.tensor([[left, top], [left + 1, top], [left, top + 1]]).double()
        origin, across, down = self.to_square(pixels)
        x, y = (own * (across - origin)).tolist(), (own * (down - origin)).tolist()
        origin = (own * origin).tolist()
        data = (x[0], y[0], origin[0], x[1], y[1], origin[1])
        mask = mask.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
        out = photo.copy()
        out.paste(picture.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC), (left, top), mask)
        return out

    def _in_whole_pixels(self, size: Size) -> tuple[int, int, int, int] | None:
        box = [v + sign * self.side / 2 for sign in (-1, 1) for v in self.centre]
        left, top, right, bottom = map(round, box)
        inside = left >= 0 and top >= 0 and right <= size[0] and bottom <= size[1]
        straight = self.angle == 0 and all(v == round(v) for v in box)
        return (left, top, right, bottom) if inside and straight and right > left else None

    def _depth(self, size: Size, pixels: int) -> Tensor:
        """[pixels, pixels]: how far each lies from the photo's edge, in sides of the square; negative beyond it."""
        steps = (torch.arange(pixels).double() + 0.5) / pixels
        x, y = self.to_photo(torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)).unbind(-1)
        return torch.stack([x, y, size[0] - x, size[1] - y]).amin(0) / self.side

    # ---- As it is stored and sent

    def to_json(self) -> dict:
        """{"centre": [x, y], "side": s, "angle": a}: pixels of the upright photo, radians clockwise."""
        x, y = self.centre
        return {"centre": [round(x, 2), round(y, 2)], "side": round(self.side, 2), "angle": round(self.angle, 5)}

    @classmethod
    def from_json(cls, value: Any) -> "Crop":
        """The inverse of `to_json`. Raises PhotoError; whether the square lies in the photo is for `cut` to say."""
        try:
            numbers = [*value["centre"], value["side"], value["angle"]]
            x, y, side, angle = (float(v) for v in numbers if not isinstance(v, bool | str))
            if all(abs(v) < 1e6 for v in (x, y, side, angle)) and side > 0:  # NaN fails this too
                return cls((x, y), side, math.remainder(angle, math.tau))
        except (TypeError, ValueError, KeyError, OverflowError):
            pass
        raise PhotoError('A crop is {"centre": [x, y], "side": above 0, "angle": in radians}; this is something else.')


class _Region:
    """The part of a photo that a square needs, made smaller by `shrink`, with the photo's mirror image round it."""

    def __init__(self, photo: Image.Image, corners: list[Point], shrink: int):
        spans, box, scale = [], [], []
        for values, whole in zip(zip(*corners), photo.size):
            low, high = math.floor(min(values)) - 4 * shrink, math.ceil(max(values)) + 4 * shrink
            needed = _mirrored(torch.arange(low, high), whole)
            start = 0 if low < 0 else needed.min().item()
            end = whole if high > whole else needed.max().item() + 1
            small = math.ceil((end - start) / shrink)
            scale.append(small / (end - start))
            spans.append((math.floor((low - start) * scale[-1]), math.ceil((high - start) * scale[-1]), small))
            box.append((start, end))
        (left, right), (top, bottom) = box
        part = photo.crop((left, top, right, bottom))
        if shrink > 1:
            part = part.resize([small for _, _, small in spans], Image.Resampling.BOX)
        columns, rows = (_mirrored(torch.arange(first, last), small) for first, last, small in spans)
        if any(first < 0 or last > small for first, last, small in spans):
            part = TF.to_pil_image(TF.pil_to_tensor(part)[:, rows][:, :, columns])
            self.first = [first for first, _, _ in spans]
        else:
            self.first = [0, 0]
        self.picture, self.start, self.scale = part, (left, top), scale

    def at(self, point: Point) -> Point:
        """Pixels of the photo -> pixels of the picture."""
        return tuple((v - s) * k - f for v, s, k, f in zip(point, self.start, self.scale, self.first))


def _face(points: tuple[Point, Point, Point]) -> list[Point]:
    """The left eye, the right one, as seen, and the nose. Raises PhotoError for what is not three places."""
    try:
        eye, other, nose = [(float(x), float(y)) for x, y in points]
    except (TypeError, ValueError):
        raise PhotoError("A face is two eyes and a nose, each a place x, y; please set them again.") from None
    if not all(abs(v) < 1e6 for v in (*eye, *other, *nose)):  # NaN fails this too
        raise PhotoError("The places of eyes and nose are not numbers; please set them again.")
    return [*sorted([eye, other]), nose]


def _mirrored(index: Tensor, n: int) -> Tensor:
    """The pixel of a row of n that is seen at each index of its endless mirror images."""
    index = index % (2 * n)
    return torch.minimum(index, 2 * n - 1 - index)


def _smooth(t: Tensor) -> Tensor:
    """0 below 0, 1 above 1, without a kink between them."""
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


def _edge(n: int, width: float) -> Tensor:
    """[n, n]: 0 at the edge of a square, 1 from `width` of its side inwards."""
    steps = (torch.arange(n) + 0.5) / n
    across = _smooth(torch.minimum(steps, 1 - steps) / width)
    return across[:, None] * across[None, :]


def _in_the_light_of(place: Image.Image, picture: Image.Image) -> Image.Image:
    """The picture, lighter or darker and warmer or cooler near its edge so that it joins the place it is put in.

    The difference along the edge is carried inwards, fading: the middle of an edited dog keeps its own colour.
    """
    n = place.width
    there, here = (TF.pil_to_tensor(p.resize((n, n), Image.Resampling.BOX)).float() for p in (place, picture))
    weight = 1 - _edge(n, 2 * SOFT)[None] + 1e-3
    low = [TF.gaussian_blur(x, [n - 1] * 2, [n / 10] * 2) for x in ((there - here) * weight, weight)]
    change = low[0] / low[1] * (1 - 0.7 * _edge(n, 0.5))
    change = TF.resize(change, [picture.height, picture.width], antialias=False)
    return TF.to_pil_image((TF.pil_to_tensor(picture) + change).clamp(0, 255).round().to(torch.uint8))
