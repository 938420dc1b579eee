"""What is white in a picture of more than 8 bits, and pictures put together band by band.

A camera's 12 bits are stored in 16, a scientist's pictures as floating point from 0 to 1, 255 or anything. Files
seldom say which, so it is read off the values: whole numbers reach as far as the bits that they use.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

ENOUGH = 2048  # pixels, squared; photos of four times as many are halved, or more, as soon as they are decoded
BRIGHT = 0.99  # share of a floating point picture that is below its white; a lamp or the sun may be far above


@dataclass
class Stored:
    """A picture as its file holds it: not yet upright, not yet in sRGB, not yet on white."""

    colours: Image.Image  # L, RGB, CMYK, LAB or YCbCr
    alpha: Image.Image | None  # L
    profile: bytes | None  # of the colours
    orientation: int = 1  # EXIF's, 1..8


def span(bands: Iterable[np.ndarray]) -> tuple[float, float]:
    """The values that mean black and white in a picture, given as bands [rows, width, ...].

    Raises ValueError where no value is a number.
    """
    lows, highs, some = [0], [0], []
    for band in bands:
        if np.issubdtype(band.dtype, np.floating):
            values = band[:, :: max(1, band.shape[1] // 200)].astype(np.float64).ravel()  # enough to tell
            some.append(values[np.isfinite(values)])
        else:
            lows.append(int(band.min()))
            highs.append(int(band.max()))
    if not some:
        return min(lows), min(lows) + 2 ** (max(highs) - min(lows)).bit_length() - 1
    values = np.concatenate(some)
    if not len(values):
        raise ValueError("no numbers")
    low = min(0.0, float(np.quantile(values, 1 - BRIGHT)))
    white = float(np.quantile(values, BRIGHT)) - low or float(values.max()) - low
    if 1 / 256 <= white <= 1:
        white = 1.0
    elif white >= 100:  # whole numbers stored as floating point
        white = 2.0 ** math.ceil(math.log2(white + 1)) - 1
    return low, low + white


def shade(values: np.ndarray, black: float, white: float) -> np.ndarray:
    """Values -> uint8 0..255, linear from black to white; what is no number is black."""
    share = (np.nan_to_num(values.astype(np.float32), posinf=white) - black) / max(white - black, 1e-12)
    return (share.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def reduction(size: tuple[int, int]) -> int:
    """The whole number by which a picture of this size may be made smaller: what is left is far more than enough."""
    return max(1, int(math.sqrt(size[0] * size[1]) / ENOUGH))


def assemble(size: tuple[int, int], mode: str, band: Callable[[int, int], Image.Image]) -> Image.Image:
    """The picture of this size whose rows from top to bottom are band(top, bottom).

    It comes smaller by its `reduction`. In bands, because Pillow converts and averages by way of copies, and a photo
    may have 200 MB.
    """
    width, height = size
    factor = reduction(size)
    across, rows = min(factor, width), 64 * factor
    small = Image.new(mode, (-(-width // across), -(-height // factor)))
    for top in range(0, height, rows):
        part = band(top, min(top + rows, height))
        small.paste(part if factor == 1 else part.reduce((across, factor)), (0, top // factor))
    return small
