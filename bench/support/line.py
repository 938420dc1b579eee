"""The page's side of the channel in Python: writes frames of moves and reads the answers (ui/frames.py)."""

import json
import struct


def frame(number: int, values: list[float], weights: str, space: int = 0, still: bool = False, half: bool = False):
    head = struct.pack("<IBB6s", number, space, still + 2 * half, bytes.fromhex(weights))
    return head + struct.pack(f"<{len(values)}f", *values)


def answer(data: bytes) -> dict:
    """The answer's JSON with its number and its picture's bytes (b"" if there is none)."""
    number, length = struct.unpack_from("<II", data)
    return json.loads(data[8 : 8 + length]) | {"number": number, "picture": data[8 + length :]}
