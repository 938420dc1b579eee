"""Files that lack their end: a copy that broke off, a camera whose battery died.

How much of the picture is there is told by decoding it twice, with two different things in the place of what is
missing: what is the same in both was in the file.
"""

import contextlib
import re
import struct

from PIL import Image, ImageChops, ImageFile

# Of a JPEG: a restart marker; how many blocks lie between two of them; height and width.
RESTART, INTERVAL = re.compile(rb"\xff[\xd0-\xd7]"), re.compile(rb"\xff\xdd\x00\x04(..)", re.DOTALL)
FRAME = re.compile(rb"\xff[\xc0-\xc2]\x00..(..)(..)", re.DOTALL)
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
    interval, frame = INTERVAL.search(data), FRAME.search(data)
    height, width = (int.from_bytes(side, "big") for side in frame.groups()) if frame else (0, 0)
    blocks, length = int.from_bytes(interval[1], "big") if interval else 0, max(2 * len(data), height * width // 4)
    if not blocks:
        return filler * (length // len(filler))
    first, number = len(RESTART.findall(data)), height * width // 64 // blocks // 5 + 1
    piece = (filler * (length // number // len(filler) + 1))[: length // number]
    return b"".join(piece + bytes([0xFF, 0xD0 + n % 8]) for n in range(first, first + number))


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
