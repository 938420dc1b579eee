"""The lesson as a component of the page, and what its script calls."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from ..batch import PIECE
from ..pad import server_function
from ..photo import photo_bytes
from ..protocol import Answer, Problem, RequestError, Turn, read
from ..scripts import WEB, on_load
from ..studio import LatentError, Studio
from ..worker import Moves, Worker, data_url
from . import parts
from .code import with_code
from .models import AUTOENCODER, CHOSEN, SEED, Models, prices
from .says import Moved, Point, Prices, Rooms, Seed

POINTS = 4  # that are moved, drawn in one batch: a turn of some 5 ms


class Lesson:
    """Answers the lesson's page, a part a call. All of it takes turns with the pad, one short piece at a time."""

    def __init__(self, dogvae: Studio, worker: Worker, example: Path):
        """example: the picture of a dog that stands in for a photo."""
        self.models, self.worker, self.example = Models(dogvae), worker, example
        self.points = Moves(worker, self.draw_points, POINTS, polite=True)

    # ---- What the page calls. Raises PhotoError, RequestError, Busy, Gone.

    async def squeeze(self, upload: object, request: gr.Request | None = None) -> dict:
        return (await self.turn(parts.squeezed, self.models, self.photo(upload), request=request)).to_json()

    async def rooms(self, upload: object, request: gr.Request | None = None) -> dict:
        photo = self.photo(upload)
        seen = [await self.turn(self.in_room, parts.seen_in, n, photo, request=request) for n in (AUTOENCODER, CHOSEN)]
        crop = await self.turn(self.shown, photo, request=request)
        return Rooms(crop=crop, rooms=seen).to_json()

    async def point(self, data: object, request: gr.Request | None = None) -> dict:
        try:
            turn = read(Turn, data)
        except RequestError:  # a page of its own: no newer move of it will come
            turn = Turn(page=uuid.uuid4().hex, number=1)
        return await self.points.answer(turn.page, turn.number, read(Point, data), request)

    async def bell(self, data: object, request: gr.Request | None = None) -> dict:
        return (await self.turn(parts.bell, self.models, read(Seed, data).seed, request=request)).to_json()

    async def price(self, upload: object, request: gr.Request | None = None) -> dict:
        photo, names = self.photo(upload), prices()
        models = [await self.turn(self.in_room, parts.priced, name, photo, request=request) for name in names]
        which = {"chosen": names.index(CHOSEN), "seed": names.index(SEED)}
        crop = await self.turn(self.shown, photo, request=request)
        return Prices(crop=crop, models=models, **which).to_json()

    async def hair(self, upload: object, request: gr.Request | None = None) -> dict:
        photo = self.photo(upload)
        z, drawn = await self.turn(parts.hairs, self.models, photo, request=request), []
        for piece in z.split(PIECE // 4):
            drawn += await self.turn(self.models.dogvae.decode, piece, request=request)
        pictures = [picture.cpu() for picture in drawn]
        return (await self.turn(parts.averaged, self.models, photo, pictures, request=request)).to_json()

    async def gan(self, data: object, request: gr.Request | None = None) -> dict:
        return (await self.turn(parts.gan, self.models, read(Seed, data).seed, request=request)).to_json()

    async def fitted(self, data: object, request: gr.Request | None = None) -> dict:
        return (await self.turn(parts.fitted, self.models, read(Seed, data).seed, request=request)).to_json()

    # ---- How it is answered

    async def turn(self, function: Callable[..., Any], *args, request: gr.Request | None = None) -> Any:
        """A piece of work in the worker's thread; of all visitors' pieces one queues at a time. Raises Busy, Gone."""
        return await self.worker.piece(function, *args, request=request)

    def photo(self, upload: object) -> bytes:
        """The visitor's photo; where none came, the example."""
        return photo_bytes(upload) if getattr(upload, "files", None) else self.example.read_bytes()

    def in_room(self, part: Callable[..., Answer], name: str, photo: bytes) -> Answer:
        return part(self.models.room(name), photo)

    def draw_points(self, points: list[Point]) -> list[dict]:
        """Moved points of several pages, those in one room in one batch: `Problem` or `Moved` for each."""
        answers: dict[int, Answer] = {}
        by_room: dict[str, dict[int, torch.Tensor]] = {}
        for i, point in enumerate(points):
            try:
                if point.room not in (AUTOENCODER, CHOSEN):
                    raise RequestError(Point.model_fields["room"].description or "")
                by_room.setdefault(point.room, {})[i] = self.models.room(point.room).studio.numbers(point.z)
            except (LatentError, RequestError) as error:
                answers[i] = Problem(error=str(error))
        for name, zs in by_room.items():
            drawn = self.models.room(name).studio.draw(torch.stack(list(zs.values())))
            answers |= {i: Moved(picture=data_url(picture, still=False)) for i, picture in zip(zs, drawn)}
        return [answers[i].to_json() for i in range(len(points))]

    def shown(self, photo: bytes) -> str:
        """The photo as the small models see it."""
        return data_url(parts.pictured(self.models.room(CHOSEN).studio, photo))


def build_lesson(dogvae: Studio, worker: Worker, example: Path) -> gr.HTML:
    """example: the dog that stands in for a photo."""
    lesson = Lesson(dogvae, worker, example)
    called = [lesson.squeeze, lesson.rooms, lesson.point, lesson.bell]
    called += [lesson.price, lesson.hair, lesson.gan, lesson.fitted]
    return gr.HTML(
        value="",
        html_template=with_code((WEB / "lesson.html").read_text(encoding="utf-8")),
        css_template=(WEB / "lesson.css").read_text(encoding="utf-8"),
        js_on_load=on_load("lesson.js"),
        server_functions=[server_function(method) for method in called],
        apply_default_css=False,
        elem_id="lesson",
    )
