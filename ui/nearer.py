"""A photo's dog brought nearer to its photo: descent on z, a step at a time between the moves of other visitors.

The page pulls: each answer tells where its descent is some steps later. A page that is closed, or whose visitor has
moved on, asks no more, and that ends its descent.
"""

import math
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import gradio as gr
import torch
from torch import Tensor

from model.nearer import STEPS
from model.photos import PhotoError
from model.pixels import to_tensor

from .protocol import Approach, RequestError
from .studio import Studio, open_data_url
from .worker import Busy, Gone, Worker

SLICE_S = 0.12  # seconds of descent between two answers to the page
IDLE_S = 15  # seconds: a descent that nobody asks for is forgotten after them
MOST = 32  # descents at once, each of some megabytes
NOT_CUT = "This is not the square that was cut out of a photo; please choose the photo again."
LOST = "The server no longer has this photo in hand; please begin again."
CROWDED = "Many visitors bring their dogs nearer just now; please try again in a moment."


@dataclass
class Descent:
    """x: a photo's square [1, 3, S, S]. z: the nearest so far [D], after `done` of at most `most` steps."""

    x: Tensor
    z: Tensor
    steps: Iterator[tuple[int, Tensor]]
    most: int
    done: int = 0
    over: bool = False
    asked: float = field(default_factory=time.monotonic)  # when it was last answered; inf while somebody waits for it


class Descents:
    """The descents of all pages. All of a worker's take turns, a step a turn, so nobody's move waits for more."""

    def __init__(self, studio: Studio, worker: Worker):
        self.studio, self.worker = studio, worker
        self.begun: dict[str, Descent] = {}  # by page
        self.seconds: float | None = None  # that one step takes; None before it was measured

    async def advance(self, question: Approach, request: gr.Request | None = None) -> Descent:
        """A page's descent, some steps on. A question with a crop begins it.

        Raises RequestError, PhotoError, Busy, Gone.
        """
        self.forget()
        if question.crop is not None:
            self.refuse_crowd(question.page)
            begun = await self.piece(self.open, question.crop, request=request)
            self.refuse_crowd(question.page)  # others may have begun meanwhile
            self.begun[question.page] = begun
        descent = self.begun.get(question.page)
        if descent is None:
            raise RequestError(LOST)
        descent.asked, until = math.inf, time.monotonic() + SLICE_S
        try:
            while not descent.over:
                await self.piece(self.go_on, descent, request=request)
                if time.monotonic() >= until:
                    break
        finally:
            descent.asked = time.monotonic()
        if descent.over and self.begun.get(question.page) is descent:
            del self.begun[question.page]
        return descent

    async def whole(self, x: Tensor, steps: int, is_gone: Callable[[], Awaitable[bool]]) -> Tensor:
        """A photo's square [1, 3, S, S] -> z [D] after at most so many steps. Raises Busy; Gone once nobody waits."""
        descent = await self.piece(self.begin, x, steps)
        while not descent.over:
            if await is_gone():
                raise Gone
            await self.piece(self.go_on, descent)
        return descent.z

    async def piece(self, function: Callable, *args, request: gr.Request | None = None):
        """The result of function(*args), of which at most one of all descents is waited for by anybody's move."""
        return await self.worker.piece(function, *args, request=request)

    def refuse_crowd(self, page: str) -> None:
        """Raises Busy where one more descent would be too many."""
        if len(self.begun) >= MOST and page not in self.begun:
            raise Busy(CROWDED)

    def expected(self) -> float | None:
        """Seconds that a descent that begins now takes beside the others; None before it was measured."""
        self.forget()
        return None if self.seconds is None else round(self.seconds * STEPS * (1 + len(self.begun)), 2)

    def forget(self) -> None:
        now = time.monotonic()
        self.begun = {page: one for page, one in self.begun.items() if now - one.asked < IDLE_S}

    # ---- In the worker's thread

    def open(self, crop: str) -> Descent:
        """Begins from a crop as the page was sent it, a data: URL. Raises PhotoError."""
        picture = open_data_url(crop)
        if picture.size != (self.studio.size, self.studio.size):
            raise PhotoError(NOT_CUT)
        return self.begin(to_tensor(picture, self.studio.size)[None], STEPS)

    def begin(self, x: Tensor, steps: int) -> Descent:
        mu, _ = self.studio.vae.encode(x)
        return Descent(x, mu[0].cpu(), self.studio.vae.nearer_steps(x, mu, steps), steps, over=steps == 0)

    def go_on(self, descent: Descent) -> None:
        began = time.perf_counter()
        try:
            descent.done, z = next(descent.steps)
        except StopIteration:  # more steps would not help
            descent.over = True
            return
        descent.z, descent.over = z[0].cpu(), descent.done == descent.most
        if descent.done > 1:  # the first computes the loss twice
            took = time.perf_counter() - began
            self.seconds = took if self.seconds is None else 0.8 * self.seconds + 0.2 * took

    def measure(self) -> None:
        """How long a step takes: to be known before the first visitor asks."""
        descent = self.begin(self.studio.vae.decode(torch.zeros(1, self.studio.dim)).cpu(), 3)
        while not descent.over:
            self.go_on(descent)
