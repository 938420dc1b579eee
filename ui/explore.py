"""What the page asks for beside the dog itself: thumbnails, the map, a contact sheet, and films."""

import asyncio
import base64

import gradio as gr
import torch
from PIL import Image
from torch import Tensor

from model.atlas import SIDE, Atlas, lay_out, looks
from model.pixels import to_tensor

from . import film
from .batch import PIECE, draw_many
from .protocol import ContactSheet, File, Movie, PageQuestion, Picture, Pictures, Place, Progress, Q, Thumbnails, read
from .studio import MAX_COORDINATE, Studio
from .worker import Worker, data_url, thumbnail_url

CELL = 56  # pixels a dog on the map
THUMBNAIL = 96  # pixels
DRAWING = 0.8  # share of the work on a film that is drawing; the rest is encoding


class Explorer:
    """Answers the tabs. Tensors are the worker's alone; pictures are made into files in other threads."""

    def __init__(self, studio: Studio, worker: Worker):
        self.studio, self.worker = studio, worker
        self.map: Atlas | None = None  # laid out when the first visitor opens it
        self.map_url = ""
        self.drawn: dict[str, float] = {}  # share that is done of each film in the making, by the name its page gave it

    # ---- What the page calls. Raises RequestError, LatentError, Busy, Gone.

    async def thumbnails(self, data: object, request: gr.Request | None = None) -> dict:
        question = self.read(Thumbnails, data)
        drawn = await self.draw(await self.worker.run(self.latents, question.dogs), request)
        pictures = await asyncio.to_thread(lambda: [thumbnail_url(picture, THUMBNAIL) for picture in drawn])
        return Pictures(pictures=pictures).to_json()

    async def atlas(self, data: object, request: gr.Request | None = None) -> dict:
        self.read(PageQuestion, data)
        if self.map is None:
            drawn = await self.draw(await self.worker.run(self.map_dogs), request)
            await self.worker.run(self.lay_out, drawn)
        return Picture(picture=self.map_url).to_json()

    async def contact_sheet(self, data: object, request: gr.Request | None = None) -> dict:
        question = self.read(ContactSheet, data)
        drawn = await self.draw(await self.worker.run(self.latents, question.dogs), request)
        picture = await asyncio.to_thread(lambda: data_url(sheet(drawn, min(8, len(drawn)))))
        return Picture(picture=picture).to_json()

    async def movie(self, data: object, request: gr.Request | None = None) -> dict:
        question = self.read(Movie, data)
        way = await self.worker.run(self.way, question.dogs, question.frames)
        try:
            drawn = await self.draw(way, request, lambda share: self.drawn.update({question.name: DRAWING * share}))
            encode = film.gif if question.kind == "gif" else film.mp4
            encoded = base64.b64encode(await asyncio.to_thread(encode, film.there_and_back(drawn))).decode()
        finally:
            self.drawn.pop(question.name, None)
        mime = "image/gif" if question.kind == "gif" else "video/mp4"
        return File(file=f"data:{mime};base64,{encoded}").to_json()

    async def progress(self, name: object, request: gr.Request | None = None) -> dict:
        """Of the film of this name."""
        return Progress(share=self.drawn.get(name, 0) if isinstance(name, str) else 0).to_json()

    # ---- How it is answered

    def read(self, question: type[Q], data: object) -> Q:
        """Raises RequestError, also where the page was made for other weights."""
        return read(question, data, self.studio.vae.weights_id, self.studio.dim)

    async def draw(self, z: Tensor, request: gr.Request | None, *tell) -> list[Image.Image]:
        return await draw_many(self.studio, self.worker, z, request, *tell)

    def latents(self, dogs: list) -> Tensor:
        """Lists of coordinates -> latents [N, D]. Raises LatentError."""
        return self.studio.at(torch.stack([self.studio.numbers(dog, most=MAX_COORDINATE) for dog in dogs]))

    def way(self, ends: list, frames: int) -> Tensor:
        """The latents [frames, D] of a film from one dog to another. Raises LatentError."""
        a, b = self.latents(ends)
        return self.studio.path(a, b, frames)

    def on_the_map(self, point: object) -> Tensor:
        """[x, y], each from 0 to 1 -> coordinates [D]. Raises RequestError."""
        at = read(Place, {"at": point}).at
        if self.map is None:  # the server was restarted, and the page has its map already
            self.lay_out([picture for piece in self.map_dogs().split(PIECE) for picture in self.studio.draw(piece)])
        assert self.map is not None
        return self.map.at(*at)

    def map_dogs(self) -> Tensor:
        return torch.cat([self.studio.sample(1, 1.0, seed) for seed in range(SIDE * SIDE)])

    def lay_out(self, pictures: list[Image.Image]) -> None:
        """Fills the map with the pictures of `map_dogs`."""
        order = lay_out(looks(torch.stack([to_tensor(picture, 40) for picture in pictures])))
        self.map_url = thumbnail_url(sheet([pictures[i] for i in order], SIDE), SIDE * CELL)
        self.map = Atlas(self.studio.latents.coordinates(self.map_dogs()[order]))


def sheet(pictures: list[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size side by side, row by row."""
    width, height = pictures[0].size
    whole = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for i, picture in enumerate(pictures):
        whole.paste(picture, (i % columns * width, i // columns * height))
    return whole
