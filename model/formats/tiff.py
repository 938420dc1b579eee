"""TIFF: its file -> the bytes of its samples, by libtiff through Pillow -> what they mean, by us.

Pillow knows a hundred layouts of samples and refuses all others: floating point RGB, 12 bits in a byte and a half,
CMYK with an alpha. So libtiff is shown a grey picture of 8 bits that is as wide as a row has bytes.
Sources: TIFF 6.0 (Aldus, 1992); TIFF technical note 3, floating point predictor (Adobe, 2005).
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, TiffImagePlugin

from .ifd import HEADERS, ORIENTATION, Value, read_tags, upright_number, with_tags
from .shades import Stored, assemble, shade, span

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, SAMPLES, ROWS = 273, 277, 278
STRIP_SIZES, PLANAR, PREDICTOR, PALETTE, SUBSAMPLING = 279, 284, 317, 320, 530
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES, EXTRA, FORMAT, PROFILE = 322, 323, 324, 325, 338, 339, 34675
FAX_AND_JPEG = (292, 293, 347, *range(512, 522), SUBSAMPLING, 531)
CODED = (WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIPS, SAMPLES, ROWS, STRIP_SIZES, PLANAR)
CODED += (PALETTE, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES, EXTRA, FORMAT, *FAX_AND_JPEG)
# By photometric, of which 0 is a negative (white is zero) and 3 has a palette: Pillow's mode, samples of colour.
MODES = {0: "L", 1: "L", 2: "RGB", 3: "RGB", 5: "CMYK", 6: "YCbCr", 8: "LAB"}
COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
PREDICTED = (5, 8, 32946, 34925, 50000)  # LZW, deflate under two numbers, LZMA, Zstandard
LOSSLESS = (1, 32773, *PREDICTED)  # not compressed, PackBits
MOST_PIXELS, MOST_BYTES = 50_000_000, 175_000_000  # decoded; Pillow's own limit is a little above
PREMULTIPLIED, ALPHA = 1, 2

Load = Callable[[Image.Image], object]


def is_tiff(data: bytes) -> bool:
    return data[:4] in HEADERS


def read_tiff(data: bytes, load: Load) -> Stored:
    """The first picture of a TIFF; a large one smaller (`assemble`).

    Raises Image.DecompressionBombError where it is too large, ValueError, OSError and whatever Pillow raises where it
    can't be read.
    load: called with an image of Pillow in order to decode it.
    """
    tags = read_tags(data)
    if _one(tags, WIDTH, 0) * _one(tags, HEIGHT, 0) > MOST_PIXELS:
        raise Image.DecompressionBombError
    if STRIPS not in tags and TILES not in tags:
        raise ValueError("no picture")
    subsampled = _photometric(tags) == 6 and tags.get(SUBSAMPLING) != [1, 1]
    if _one(tags, COMPRESSION, 1) in LOSSLESS and _photometric(tags) in MODES and not subsampled:
        colours, alpha = Samples(data, tags, load).picture()
    else:
        colours, alpha = _open(data, {tag: tags[tag] for tag in CODED if tag in tags}), None
        load(colours)
    profile = tags.get(PROFILE)
    profile = bytes(profile) if isinstance(profile, list) and max(profile) < 256 else profile
    profile = profile if isinstance(profile, bytes) else None
    return Stored(colours, alpha, profile, upright_number(tags.get(ORIENTATION)) or 1)


def _one(tags: dict[int, Value], tag: int, default: int) -> int:
    value = tags.get(tag)
    return value[0] if value else default


def _photometric(tags: dict[int, Value]) -> int:
    return _one(tags, PHOTOMETRIC, 2 if _one(tags, SAMPLES, 1) >= 3 else 1)


def _open(data: bytes, tags: dict[int, Value]) -> TiffImagePlugin.TiffImageFile:
    """The same file with these tags only: nothing else in it is looked at."""
    return TiffImagePlugin.TiffImageFile(io.BytesIO(with_tags(data, tags)))


class Samples:
    """The samples of a TIFF: bands of its rows as numbers."""

    def __init__(self, data: bytes, tags: dict[int, Value], load: Load):
        self.width, self.height = _one(tags, WIDTH, 0), _one(tags, HEIGHT, 0)
        self.count, self.photometric = _one(tags, SAMPLES, 1), _photometric(tags)
        bits, formats = set(tags.get(BITS, [1])), set(tags.get(FORMAT, [1]))
        if self.width < 1 or self.height < 1 or len(bits) != 1 or len(formats) != 1 or self.count > 64:
            raise ValueError("an odd layout")
        self.bits, self.order = bits.pop(), "<" if data[:2] == b"II" else ">"
        self.kind = {1: "u", 2: "i", 3: "f", 4: "u"}[formats.pop()]
        self.extra = list(tags.get(EXTRA, []))[: self.count - COLOURS[self.photometric]]
        if not 1 <= self.bits <= 64 or self.count < COLOURS[self.photometric]:
            raise ValueError("an odd layout")
        self.predictor = _one(tags, PREDICTOR, 1) if _one(tags, COMPRESSION, 1) in PREDICTED else 1
        self.palette = tags.get(PALETTE)
        self.tile = _one(tags, TILE_WIDTH, 0) if TILES in tags else self.width  # samples across
        self.planes = self._decode(data, tags, load)

    def _decode(self, data: bytes, tags: dict[int, Value], load: Load) -> list[Image.Image]:
        """The bytes of the samples as grey pictures: one, or one for each sample where they are stored apart."""
        apart = self.count if _one(tags, PLANAR, 1) == 2 else 1
        self.together = self.count // apart  # samples of a pixel in a plane
        self.tile_bytes = -(-self.tile * self.together * self.bits // 8)
        wide = -(-self.width // self.tile) * self.tile_bytes
        if wide * apart * self.height > MOST_BYTES:
            raise Image.DecompressionBombError
        shown = {tag: tags[tag] for tag in (COMPRESSION, FILL_ORDER, HEIGHT, ROWS, TILE_HEIGHT) if tag in tags}
        shown |= {WIDTH: [wide], BITS: [8], PHOTOMETRIC: [1], SAMPLES: [1]}
        if TILES in tags:
            shown[TILE_WIDTH] = [self.tile_bytes]
        planes: list[Image.Image] = []
        for plane in range(apart):
            for tag in (STRIPS, STRIP_SIZES, TILES, TILE_SIZES):
                if tag in tags:
                    each = len(tags[tag]) // apart
                    shown[tag] = tags[tag][plane * each : (plane + 1) * each]
            planes.append(_open(data, shown))
            load(planes[-1])
        return planes

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """[rows, width, samples] of the type that the file has."""
        parts = []
        for plane in self.planes:
            raw = np.frombuffer(plane.crop((0, top, plane.width, bottom)).tobytes(), np.uint8)
            raw = raw.reshape(bottom - top, -1, self.tile_bytes)
            tiles = [self._numbers(raw[:, n]) for n in range(raw.shape[1])]
            parts.append(np.concatenate(tiles, 1)[:, : self.width])
        return parts[0] if len(parts) == 1 else np.concatenate(parts, 2)

    def _numbers(self, raw: np.ndarray) -> np.ndarray:
        """The bytes of a tile's rows [rows, bytes] -> [rows, tile, samples], without its predictor."""
        shape, size = (len(raw), self.tile, self.together), self.bits // 8
        if self.kind == "f" and self.predictor == 3:  # differences of bytes, the highest bytes of a row first
            raw = np.add.accumulate(raw.reshape(len(raw), -1, self.together), axis=1, dtype=np.uint8)
            raw = raw.reshape(len(raw), size, -1).swapaxes(1, 2)
            return np.ascontiguousarray(raw).view(f">f{size}").reshape(shape)
        if self.bits in (8, 16, 32, 64) and not (self.kind == "f" and self.bits == 8):
            values = np.ascontiguousarray(raw).view(f"{self.order}{self.kind}{size}").reshape(shape)
            if self.predictor == 2:
                whole = values.view(f"{self.order}u{size}")
                values = np.add.accumulate(whole, axis=1, dtype=f"u{size}").view(f"{self.kind}{size}")
            return values
        if self.kind == "f" or self.predictor == 2 or self.bits > 32:
            raise ValueError("an odd layout")
        return self._packed(raw).reshape(shape)

    def _packed(self, raw: np.ndarray) -> np.ndarray:
        """Numbers of so many bits without a gap -> [rows, numbers]; each row begins with a byte of its own."""
        many = self.tile * self.together
        if self.bits % 8 == 0 and self.order == "<":
            raw = raw.reshape(len(raw), many, -1)[..., ::-1].reshape(len(raw), -1)
        digits = np.unpackbits(raw, axis=1)[:, : many * self.bits].reshape(len(raw), many, self.bits)
        values = np.zeros((len(raw), many), np.int64)
        for digit in range(self.bits):
            values = values * 2 + digits[..., digit]
        return values - ((values >> self.bits - 1) << self.bits) if self.kind == "i" else values

    def picture(self) -> tuple[Image.Image, Image.Image | None]:
        """The colours, and the alpha where the file says that a sample is one."""
        number, mode, size = COLOURS[self.photometric], MODES[self.photometric], (self.width, self.height)
        kinds = [kind in (PREMULTIPLIED, ALPHA) for kind in self.extra]
        place = number + kinds.index(True) if any(kinds) else None  # of the alpha
        spans = [self._span(0, number), self._span(place, place + 1) if place else (0, 1)]

        def colours(top: int, bottom: int) -> Image.Image:
            rows = self.rows(top, bottom)
            values = self._bytes(rows[..., :number], *spans[0])
            if place and self.extra[place - number] == PREMULTIPLIED:
                cover = np.maximum(shade(rows[..., place : place + 1], *spans[1]), 1)
                values = np.minimum(values.astype(np.uint32) * 255 // cover, 255).astype(np.uint8)
            return Image.frombytes(mode, (self.width, bottom - top), values.tobytes())

        def alpha(top: int, bottom: int) -> Image.Image:
            return Image.fromarray(shade(self.rows(top, bottom)[..., place], *spans[1]))

        return assemble(size, mode, colours), assemble(size, "L", alpha) if place else None

    def _span(self, first: int, after: int) -> tuple[float, float]:
        """The values that mean black and white (`span`); of 8 bits and fewer the whole range is in use."""
        if self.bits <= 8 and self.kind == "u":
            return 0, 2**self.bits - 1
        tops = range(0, self.height, 256)
        return span(self.rows(top, min(top + 256, self.height))[..., first:after] for top in tops)

    def _bytes(self, values: np.ndarray, black: float, white: float) -> np.ndarray:
        """Samples of colours [rows, width, samples] -> bytes as Pillow has them in the mode of this photometric."""
        if self.photometric == 3:
            table = np.array(self.palette).reshape(3, -1).T
            table = table >> 8 if table.max() > 255 else table  # some write a palette of bytes
            return table.astype(np.uint8)[values[..., 0]]
        if self.photometric == 8:
            if self.kind == "f" or self.bits < 8:
                raise ValueError("an odd layout")
            return (values >> (self.bits - 8)).astype(np.uint8)
        values = values if self.bits == 8 and self.kind == "u" else shade(values, black, white)
        return 255 - values if self.photometric == 0 else values
