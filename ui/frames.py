"""A move and its answer as binary frames, for the channel (ui/channel.py; the page's side is ui/web/channel.js).

A move: its number (uint32), the space of its values (uint8: a place in SPACES), flags (uint8: STILL, HALF), the id of
the weights (6 bytes), and the values (float32).
An answer: the number of the move (uint32), how many bytes of JSON follow (uint32), the answer of ui/protocol.py in JSON
but for its picture, and the picture's file, where there is one.
All of them little-endian.
"""

import json
import struct

from .protocol import RequestError

SPACES = ("directions", "raw", "map")
STILL, HALF = 1, 2
HEAD = struct.Struct("<IBB6s")
ANSWER = struct.Struct("<II")
NO_MOVE = "A frame of this channel is a move: 12 bytes of head, then numbers of 4 bytes each."
MAX_VALUES = 1024  # as many as the largest model takes


def read_frame(frame: bytes | None) -> tuple[int, dict]:
    """The number of a move, and the move as `protocol.read` takes it. Raises RequestError for anything else."""
    size = len(frame or b"") - HEAD.size
    if frame is None or size % 4 or not 0 <= size <= 4 * MAX_VALUES:
        raise RequestError(NO_MOVE)
    number, space, flags, weights = HEAD.unpack_from(frame)
    if space >= len(SPACES):
        raise RequestError(NO_MOVE)
    values = list(struct.unpack_from(f"<{size // 4}f", frame, HEAD.size))
    wish = {"space": SPACES[space], "still": bool(flags & STILL), "half": bool(flags & HALF)}
    return number, {"values": values, "weights": weights.hex()} | wish


def write_frame(number: int, answer: dict) -> bytes:
    """The answer to this move, its picture, if it has one, as bytes."""
    text = json.dumps({key: value for key, value in answer.items() if key != "picture"}).encode()
    return ANSWER.pack(number, len(text)) + text + answer.get("picture", b"")
