"""Frames -> a film: a GIF, or an MP4 through PyAV."""

import asyncio
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import TypeVar

import av
from PIL import Image

from model.pixels import to_file

FRAMES_A_SECOND = 20

T = TypeVar("T")
_thread = ThreadPoolExecutor(1, "films")


async def in_turn(encode: Callable[..., T], *args) -> T:
    """encode(*args), one film after the other: each takes seconds and memory, and small pictures do not wait for it."""
    return await asyncio.wrap_future(_thread.submit(encode, *args))


def encoded(frames: Sequence[Image.Image], kind: str, side: int) -> bytes:
    """The film there and back of these frames, `side` pixels a side (0: as they are). kind: "gif" or "mp4"."""
    return (gif if kind == "gif" else mp4)(there_and_back(enlarged(frames, side)))


def enlarged(frames: Sequence[Image.Image], side: int) -> list[Image.Image]:
    """Squares of `side` pixels; 0: as they are."""
    return [frame.resize((side, side), Image.Resampling.LANCZOS) if side else frame for frame in frames]


def there_and_back(frames: Sequence[Image.Image]) -> list[Image.Image]:
    return [*frames, *frames[-2:0:-1]]


def gif(frames: Sequence[Image.Image]) -> bytes:
    """Endless, at the size of the frames; 256 colours a frame."""
    timing = {"duration": 1000 // FRAMES_A_SECOND, "loop": 0}
    return to_file(frames[0], "GIF", save_all=True, append_images=frames[1:], **timing)


def mp4(frames: Sequence[Image.Image]) -> bytes:
    """H.264 in the pixel format that every phone plays, at the size of the frames."""
    buffer = io.BytesIO()
    width, height = (side // 2 * 2 for side in frames[0].size)  # yuv420p wants even sides
    with av.open(buffer, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=FRAMES_A_SECOND, options={"crf": "18", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, FRAMES_A_SECOND)
        for picture in frames:
            film.mux(stream.encode(av.VideoFrame.from_image(picture.crop((0, 0, width, height)))))
        film.mux(stream.encode())
    return buffer.getvalue()
