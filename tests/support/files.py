"""Builds picture files by hand, in layouts that cameras, scanners and editors write but Pillow does not."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # EXIF type -> bytes


def packed(picture: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


Entries = list[tuple[int, int, bytes]]  # tag, type, value


def exif(entries: Entries, orientation: int = 6, order: str = "<", offset: int | None = None) -> bytes:
    """EXIF with these entries in this order, and with the orientation sorted in by its tag.

    order: of bytes, "<" or ">". offset: a false offset for values longer than 4 bytes; None writes the true one.
    """
    number = (0x0112, 3, struct.pack(order + "H", orientation))
    after = [entry for entry in entries if entry[0] > number[0]]
    entries = [entry for entry in entries if entry[0] <= number[0] and entry[0] != number[0]] + [number] + after
    place, table, values = 8 + 2 + 12 * len(entries) + 4, b"", b""
    for tag, kind, value in entries:
        table += struct.pack(order + "HHI", tag, kind, max(1, len(value) // SIZES.get(kind, 1)))
        if len(value) <= 4:
            table += value.ljust(4, b"\0")
        else:
            table += struct.pack(order + "I", place + len(values) if offset is None else offset)
            values += value
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return b"Exif\0\0" + head + struct.pack(order + "H", len(entries)) + table + bytes(4) + values


def jpeg_with(data: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with segments (marker, contents) inserted after its first two bytes."""
    parts = [b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body for marker, body in segments]
    return data[:2] + b"".join(parts) + data[2:]


def tiff(
    samples: np.ndarray,
    photometric: int = 1,
    bits: int | None = None,
    extra: tuple[int, ...] = (),
    order: str = "<",
    deflated: bool = False,
    predictor: int = 1,
    apart: bool = False,
    tile: int = 0,
    tags: dict[int, list[int]] | None = None,
) -> bytes:
    """samples [h, w, n] of any number type -> a TIFF.

    bits: fewer than the type has, packed without gaps (unsigned only). apart: each sample has its own plane.
    tile: pixels a side of a tile; 0 writes strips of 5 rows. predictor: 2, or 3 for floating point; needs deflated.
    """
    height, width, count = samples.shape
    form = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    depth = bits or samples.dtype.itemsize * 8

    def code(block: np.ndarray) -> bytes:
        if bits:
            digits = (block.reshape(len(block), -1, 1) >> np.arange(bits - 1, -1, -1).astype(block.dtype)) & 1
            data = np.packbits(digits.reshape(len(block), -1).astype(np.uint8), axis=1).tobytes()
        elif predictor == 2:
            whole = block.view(f"u{block.dtype.itemsize}")
            data = np.diff(whole, axis=1, prepend=whole.dtype.type(0)).astype(order + whole.dtype.str[1:]).tobytes()
        elif predictor == 3:
            high_first = block.astype(">" + block.dtype.str[1:]).view(np.uint8).reshape(len(block), -1, depth // 8)
            rows = high_first.swapaxes(1, 2).reshape(len(block), -1, block.shape[2])
            data = np.diff(rows, axis=1, prepend=np.uint8(0)).tobytes()
        else:
            data = block.astype(order + block.dtype.str[1:]).tobytes()
        return zlib.compress(data) if deflated else data

    planes = [samples[..., n : n + 1] for n in range(count)] if apart else [samples]
    blocks = []
    for plane in planes:
        if tile:
            high, wide = -(-height // tile) * tile, -(-width // tile) * tile
            plane = np.pad(plane, ((0, high - height), (0, wide - width), (0, 0)))
            places = [(y, x) for y in range(0, high, tile) for x in range(0, wide, tile)]
            blocks += [code(np.ascontiguousarray(plane[y : y + tile, x : x + tile])) for y, x in places]
        else:
            blocks += [code(np.ascontiguousarray(plane[y : y + 5])) for y in range(0, height, 5)]
    places, at = [], 8
    for block in blocks:
        places.append(at)
        at += len(block)
    entries = {256: [width], 257: [height], 258: [depth] * count, 259: [8 if deflated else 1], 262: [photometric]}
    entries |= {277: [count], 284: [2 if apart else 1], 317: [predictor], 339: [form] * count}
    entries |= {322: [tile], 323: [tile], 324: places, 325: [*map(len, blocks)]} if tile else {}
    entries |= {} if tile else {273: places, 278: [5], 279: [*map(len, blocks)]}
    entries |= ({338: list(extra)} if extra else {}) | (tags or {})
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return head + b"".join(blocks) + _directory(entries, at, order)


def _directory(entries: dict[int, list[int]], at: int, order: str) -> bytes:
    """The directory of a TIFF: the tags that describe its picture. at: the directory's offset in the file."""
    table, values, after = b"", b"", at + 2 + 12 * len(entries) + 4
    for tag, numbers in sorted(entries.items()):
        body = struct.pack(f"{order}{len(numbers)}I", *numbers)
        table += struct.pack(order + "HHI", tag, 4, len(numbers))
        table += body if len(body) == 4 else struct.pack(order + "I", after + len(values))
        values += b"" if len(body) == 4 else body
    return struct.pack(order + "H", len(entries)) + table + bytes(4) + values


def png(samples: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """samples [h, w, 1 to 4] uint16 -> a PNG of 16 bits, with these chunks (kind, contents) before its data."""
    height, width, count = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[count], 0, 0, 0)
    all_chunks = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = (struct.pack(">I", len(b)) + kind + b + struct.pack(">I", zlib.crc32(kind + b)) for kind, b in all_chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with a chunk inserted before its pixel data."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:33] + chunk + data[33:]


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")  # red and blue swapped


def grey_profile(gamma: float) -> bytes:
    """An ICC profile for grey pictures with this gamma."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(78 + 3)
    at, table, body = 128 + 4 + 12 * 3, b"", b""
    for name, data in ((b"desc", text), (b"wtpt", white), (b"kTRC", curve)):
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data.ljust(-(-len(data) // 4) * 4, b"\0")
    head = struct.pack(">I", at + len(body)) + b"lcms" + bytes([2, 0x20, 0, 0]) + b"mntrGRAYXYZ " + bytes(12)
    head += b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", 3) + table + body
