"""One thread does all inference; it is shared fairly, and whatever goes wrong becomes a sentence."""

import asyncio
import base64
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import gradio as gr
from PIL import Image

from model.photos import PhotoError
from model.pixels import to_file

from .protocol import Dropped, Problem, RequestError
from .studio import LatentError, jpeg, png

MAX_WAITING = 32  # requests, each with a photo at worst
MAX_PAGES = 512  # pages whose newest move waits
CROWDED = "Many visitors are drawing dogs just now; please try again in a moment."
LOOK_S = 0.5  # so often it is checked whether the page of a waiting request is still open

log = logging.getLogger("dogvae")


class Busy(RuntimeError):
    """Too many requests are waiting."""


class Gone(RuntimeError):
    """The page that asked was closed."""


PLAIN = (PhotoError, LatentError, RequestError, Busy)  # errors whose text is meant for who asked


class Worker:
    """Runs functions one after the other. Many callers of torch at once would fight over the same cores."""

    def __init__(self):
        self.pool = ThreadPoolExecutor(1, "inference")
        self.waiting = 0
        self.long_work = asyncio.Lock()  # work of many pieces queues one piece at a time, whoever asks for it
        self.pieces = 0  # that wait for it

    async def run(self, function: Callable, *args, request: gr.Request | None = None):
        """The result of function(*args). Raises Busy at once where too many wait, Gone if the page is closed first."""
        if self.waiting >= MAX_WAITING:
            raise Busy(CROWDED)
        if request is not None and await request.is_disconnected():
            raise Gone
        self.waiting += 1
        try:
            return await unless_gone(self.pool.submit(function, *args), request)
        finally:
            self.waiting -= 1

    async def piece(self, function: Callable, *args, request: gr.Request | None = None):
        """As `run`, for a piece of one visitor's long work: of all such pieces, one at a time queues for the thread."""
        if self.pieces >= MAX_WAITING:
            raise Busy(CROWDED)
        self.pieces += 1
        try:
            async with self.long_work:
                return await self.run(function, *args, request=request)
        finally:
            self.pieces -= 1

    async def turn(self, function: Callable, *args):
        """As `run`, for a piece of long work that is every visitor's: never refused, and one at a time."""
        async with self.long_work:
            return await asyncio.wrap_future(self.pool.submit(function, *args))


class Moves:
    """The live moves of all pages on the worker's one thread: a crowd gets slower, and each page as slow as the others.

    Of each page only the newest move waits; the one that it overtakes is answered with {"dropped": True}, and
    keeps its place in the queue for the newer one. Up to `most` pages are drawn in one batch, which costs
    about half as much a picture as one by one.

    polite: only one batch at a time queues for the thread, however many pages wait, so that other work never waits for
    more than one.
    """

    def __init__(self, worker: Worker, draw: Callable[[list], list[dict]], most: int = 8, polite: bool = False):
        self.worker, self.draw, self.most, self.polite = worker, draw, most, polite
        self.has_turn = False  # whether a polite batch queues or is being drawn
        self.waiting: dict[str, tuple[int, object, Future, float]] = {}  # page -> its newest move, longest wait first
        self.lock = Lock()

    async def answer(self, page: str, number: int, move: object, request: gr.Request | None = None) -> dict:
        """The picture of a move, or {"dropped": True} where a move of a higher number of the same page is known."""
        future: Future = Future()
        with self.lock:
            if page not in self.waiting and len(self.waiting) >= MAX_PAGES:
                return {"error": "Many visitors are drawing dogs just now; the page tries again.", "busy": True}
            known = self.waiting.get(page)
            if known and known[0] > number:  # the network changed their order
                return {"dropped": True}
            self.waiting[page] = (number, move, future, time.perf_counter())
            queues, self.has_turn = not (self.polite and self.has_turn), True
        if known:  # its turn in the pool now serves this one
            if known[2].set_running_or_notify_cancel():  # False if its page is gone
                known[2].set_result({"dropped": True})
        elif queues:
            self.worker.pool.submit(self._serve)
        return await sentence(unless_gone(future, request))

    def _serve(self) -> None:
        self._draw_batch()
        with self.lock:
            again = self.has_turn = bool(self.waiting)
        if self.polite and again:
            self.worker.pool.submit(self._serve)

    def _draw_batch(self) -> None:
        with self.lock:
            pages = list(self.waiting)[: self.most]
            batch = [self.waiting.pop(page) for page in pages]
        batch = [entry for entry in batch if entry[2].set_running_or_notify_cancel()]  # without those of closed pages
        if not batch:  # an earlier turn took them along
            return
        try:
            answers = self.draw([move for _, move, _, _ in batch])
            for (_, _, future, since), answer in zip(batch, answers):
                took = {} if "error" in answer else {"took": milliseconds_since(since)}  # the rest is network
                future.set_result(answer | took)
        except Exception as error:
            for _, _, future, _ in batch:
                if not future.done():
                    future.set_exception(error)


def milliseconds_since(began: float) -> float:
    """began: what time.perf_counter() said."""
    return round(1e3 * (time.perf_counter() - began), 1)


async def unless_gone(future: Future, request: gr.Request | None):
    """The future's result; if the page of the request is closed first, the work is not begun and Gone is raised."""
    result = asyncio.wrap_future(future)
    while request is not None:
        done, _ = await asyncio.wait([result], timeout=LOOK_S)
        if done:
            break
        if await request.is_disconnected():
            result.cancel()
            raise Gone
    return await result


async def sentence(work) -> dict:
    """The answer of `work`; where it failed a Problem, or Dropped where the page is gone, as JSON."""
    try:
        return await work
    except Gone:
        return Dropped().to_json()
    except Exception as error:
        return Problem(error=in_words(error), busy=isinstance(error, Busy) or None).to_json()


def in_words(error: Exception) -> str:
    """The sentence for the person who asked. An error that nobody foresaw is logged, and not shown."""
    if isinstance(error, PLAIN):
        return str(error)
    if isinstance(error, Gone):
        return "Nobody waits for this answer any more."
    log.error("a request failed", exc_info=error)
    return "Something went wrong on the server; please try again."


def data_url(picture: Image.Image, still: bool = True) -> str:
    """A lossless PNG for a picture that stays, a small JPEG for one that is replaced in a moment."""
    data, kind = (png(picture), "png") if still else (jpeg(picture), "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def thumbnail(picture: Image.Image, side: int) -> bytes:
    """A small WebP, about 1 kB at 64 pixels."""
    return to_file(picture.resize((side, side), Image.Resampling.LANCZOS), "WEBP", quality=82)


def thumbnail_url(picture: Image.Image, side: int) -> str:
    return f"data:image/webp;base64,{base64.b64encode(thumbnail(picture, side)).decode()}"
