"""The tags of a TIFF file, and of the EXIF in any photo, which is a small TIFF.

Read entry by entry, so that nothing that a camera or an editor wrote wrongly in one of them can cost the others.
Source: TIFF 6.0 (Aldus, 1992), section 2; BigTIFF (Adobe, 2007).
"""

import struct

Value = list[int] | bytes
HEADERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two: BigTIFF
WHOLE = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}  # type -> struct's letter
OTHER = {2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8}  # type -> bytes of one value: text, rationals, floating point
ORIENTATION = 274


def read_tags(data: bytes) -> dict[int, Value]:
    """tag -> whole numbers, or the bytes of anything else, of the first directory; entries that make no sense are
    left out. Raises ValueError where there is no directory."""
    if data[:4] not in HEADERS:
        raise ValueError("no TIFF")
    order, big = "<" if data[:2] == b"II" else ">", b"+" in data[:4]
    tags: dict[int, Value] = {}
    try:
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
        first, step = at + (8 if big else 2), 20 if big else 12
        for at in range(first, min(first + count * step, len(data)), step):
            tag, kind, length = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, at)
            start, room = (at + 12, 8) if big else (at + 8, 4)
            size = length * (struct.calcsize(order + WHOLE[kind]) if kind in WHOLE else OTHER.get(kind, 0))
            if size > room:
                (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, start)
            if not 0 < size <= len(data) - start:
                continue
            raw = data[start : start + size]
            tags.setdefault(tag, list(struct.unpack(f"{order}{length}{WHOLE[kind]}", raw)) if kind in WHOLE else raw)
    except struct.error as error:
        if not tags:
            raise ValueError(f"no directory: {error}") from None
    return tags


def with_tags(data: bytes, tags: dict[int, Value]) -> bytes:
    """The same TIFF file with these tags only, in a directory at its end."""
    order = "<" if data[:2] == b"II" else ">"
    start = len(data) + len(data) % 2
    at, entries, values = start + 2 + 12 * len(tags) + 4, b"", b""
    for tag, value in sorted(tags.items()):
        kind, packed = (7, value) if isinstance(value, bytes) else (4, struct.pack(f"{order}{len(value)}I", *value))
        entries += struct.pack(order + "HHI", tag, kind, len(value))
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", at + len(values))
            values += packed + bytes(len(packed) % 2)
    header = data[:2] + struct.pack(order + "HI", 42, start)
    directory = struct.pack(order + "H", len(tags)) + entries + bytes(4) + values
    return b"".join((header, data[8:], bytes(len(data) % 2), directory))


def orientation(exif: bytes) -> int | None:
    """EXIF's orientation, 1..8, whatever type of number it was written as; None where there is none."""
    places = [place for place in map(exif.find, HEADERS[:2]) if place >= 0]
    if not places:
        return None
    try:
        value = read_tags(exif[min(places) :]).get(ORIENTATION)
    except ValueError:
        return None
    return upright_number(value)


def upright_number(value: Value | None) -> int | None:
    """The value of an orientation tag as a number from 1 to 8, or None."""
    if isinstance(value, bytes):  # as text, or as bytes
        value = [int(value[:1]) if value[:1].isdigit() else value[0]]
    return value[0] if value and 1 <= value[0] <= 8 else None
