"""Files that lack their end: a copy that broke off, a camera whose battery died.

How much of the picture is there is told by decoding it twice, with two different things in the place of what is
missing: what is the same in both was in the file.
"""

import contextlib
import re
import struct
from collections.abc import Iterator

from PIL import Image, ImageChops, ImageFile

RESTART = re.compile(rb"\xff[\xd0-\xd7]")  # of a JPEG
FRAMES, INTERVAL, SCAN = (0xC0, 0xC1, 0xC2), 0xDD, 0xDA  # of its segments: height and width; of restarts; pixels follow
MOST_FILLER = 2**24  # bytes
MISSING = 0.05  # of the picture at most
# Nonsense of several kinds: a decoder may find one of them impossible.
FILLERS = (b"\0", bytes(range(1, 200)), b"\x55", bytes(range(199, 0, -1)), b"\x92\x49\x24")


def completed(data: bytes, filler: bytes) -> bytes:
    """A file that ends too early, with an end: the filler again and again in the place of what is missing.

    Of the formats that Pillow's readers decode row by row, the file as it is: those stop at its end.
    """
    if data[:2] == b"\xff\xd8":
        return data + (_as_scan(data, filler) if filler != FILLERS[0] else b"") + b"\xff\xd9"
    length = 0
    if data[:4] == b"RIFF":
        length = struct.unpack("<I", data[4:8])[0] + 8
    elif data[4:8] == b"ftyp":  # HEIC, AVIF: boxes, each of which says how long it is
        while length + 8 <= len(data) and (box := struct.unpack_from(">I", data, length)[0]) >= 8:
            length += box
    missing = length - len(data)
    return data + (filler * missing)[:missing] if 0 < missing < len(data) else data


def _as_scan(data: bytes, filler: bytes) -> bytes:
    """Filler for a fifth of a JPEG, or more, with restart markers in it where the file has them: for want of those a
    decoder would pass it over."""
    interval, height, width, start = 0, 0, 0, len(data)
    for marker, start in _segments(data):
        if marker in FRAMES:
            height, width = (int.from_bytes(data[at : at + 2], "big") for at in (start + 3, start + 5))
        elif marker == INTERVAL:
            interval = int.from_bytes(data[start + 2 : start + 4], "big")
    length = min(max(2 * len(data), height * width // 4), MOST_FILLER)
    if not interval:
        return filler * (length // len(filler))
    first = len(RESTART.findall(data, start))
    number = min(height * width // 64 // interval // 5 + 1, length // 16)
    piece = (filler * (length // number // len(filler) + 1))[: length // number]
    return b"".join(piece + bytes([0xFF, 0xD0 + n % 8]) for n in range(first, first + number))


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker and place of each segment of a JPEG, up to its first scan; what it embeds is passed over."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        yield marker, at + 2
        if marker == SCAN:
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def load_onto(photo: Image.Image, value: int) -> None:
    """Decodes as much as there is, on a canvas of this value, 0..255."""
    if isinstance(photo, ImageFile.ImageFile):
        prepare = photo.load_prepare

        def load_prepare() -> None:
            prepare()
            photo.im.paste(_ink(photo.im.mode, value), (0, 0, *photo.im.size))

        photo.load_prepare = load_prepare  # type: ignore[method-assign]
    with contextlib.suppress(OSError, EOFError, SyntaxError):
        photo.load()
    if isinstance(photo, ImageFile.ImageFile):
        photo.tile = []  # Pillow would try again


def _ink(mode: str, value: int) -> int | tuple[int, ...]:
    bands = len(Image.new(mode, (1, 1)).getbands())
    return value if bands == 1 else (value,) * bands


def missing(first: Image.Image, second: Image.Image) -> float:
    """The share of the picture in which two ways to decode it differ."""
    differs = ImageChops.difference(first, second)
    seen = differs.getchannel(0)
    for band in range(1, len(differs.getbands())):
        seen = ImageChops.lighter(seen, differs.getchannel(band))
    return 1 - seen.histogram()[0] / (seen.width * seen.height)
