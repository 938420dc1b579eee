"""PNGs of 16 bits, of which Pillow keeps the upper 8 where they are in colour: nothing, of a camera's 10 or 12."""

import io
from collections.abc import Callable
from typing import TypeGuard

import numpy as np
from PIL import Image, PngImagePlugin

from .shades import assemble, shade, span

ROWS = 256


def is_png16(photo: Image.Image) -> TypeGuard[PngImagePlugin.PngImageFile]:
    """photo: as Pillow opened it, not decoded yet."""
    return isinstance(photo, PngImagePlugin.PngImageFile) and "16B" in str(photo.tile)


def read_png16(
    first: PngImagePlugin.PngImageFile, data: bytes, load: Callable[[Image.Image], object]
) -> tuple[Image.Image, Image.Image | None]:
    """Colours (L or RGB) and alpha; a large picture smaller (`assemble`).

    first: the file as Pillow opened it; data: the same as bytes; load: called in order to decode.
    """
    mode, size = str(first.tile[0].args).split(";")[0], first.size  # I, LA, RGB or RGBA
    halves = [first]
    if mode == "LA":  # its four bytes for a pixel
        first.tile = [tile._replace(args="RGBA") for tile in first.tile]
    elif mode in ("RGB", "RGBA"):  # the upper bytes, and once more, with the lower ones taken for these
        halves.append(PngImagePlugin.PngImageFile(io.BytesIO(data)))
        halves[1].tile = [tile._replace(args=f"{mode};16L") for tile in halves[1].tile]
    for half in halves:
        load(half)

    def rows(top: int, bottom: int) -> np.ndarray:
        """[rows, width, samples], 0..65535"""
        parts = [np.asarray(half.crop((0, top, half.width, bottom))) for half in halves]
        if len(parts) == 2:
            return parts[0] * np.uint16(256) + parts[1]
        return np.ascontiguousarray(parts[0]).view(">u2") if mode == "LA" else parts[0][..., None]

    key = first.info.get("transparency")  # the colour that is to be clear
    clear = key is not None and mode in ("I", "RGB")
    number = 3 if "RGB" in mode else 1
    bands = [(top, min(top + ROWS, size[1])) for top in range(0, size[1], ROWS)]
    black, white = span(rows(*band)[..., :number] for band in bands)
    full = span(rows(*band)[..., number:] for band in bands)[1] if "A" in mode else 1

    def colours(top: int, bottom: int) -> Image.Image:
        values = shade(rows(top, bottom)[..., :number], black, white)
        return Image.fromarray(values[..., 0] if number == 1 else values)

    def alpha(top: int, bottom: int) -> Image.Image:
        values = rows(top, bottom)
        if clear:
            return Image.fromarray((values != np.array(key)).any(-1).astype(np.uint8) * 255)
        return Image.fromarray(shade(values[..., number], 0, full))

    picture = assemble(size, "RGB" if number == 3 else "L", colours)
    return picture, assemble(size, "L", alpha) if clear or "A" in mode else None
