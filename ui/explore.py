"""What the page asks for beside the dog itself: thumbnails, walls, the map, a contact sheet, films and files."""

import asyncio
import base64

import gradio as gr
import torch
from PIL import Image
from torch import Tensor

from model.atlas import SIDE, Atlas, looks, sorting
from model.pixels import to_tensor

from . import film
from .batch import draw_many
from .protocol import (
    ContactSheet,
    Enlarged,
    File,
    Movie,
    PageQuestion,
    Picture,
    Pictures,
    Place,
    Progress,
    Q,
    Thumbnails,
    read,
)
from .studio import MAX_COORDINATE, Studio
from .wall import Wall, Walled, random_dogs
from .worker import CROWDED, Busy, Worker, data_url, thumbnail_url

CELL = 56  # pixels a dog on the map
THUMBNAIL, LARGE = 96, 192  # pixels
SLICE = 2  # dogs of the map that are drawn in one turn: nobody waits for it, and other visitors move their dogs
DRAWING = 0.8  # share of the work on a film that is drawing; the rest is encoding
MAX_FILMS = 6  # in the making; each holds its frames


class Explorer:
    """Answers the tabs. Tensors are the worker's alone; pictures are made into files in other threads."""

    def __init__(self, studio: Studio, worker: Worker):
        self.studio, self.worker = studio, worker
        self.map: Atlas | None = None  # laid out when the first visitor opens it
        self.map_url = ""
        self.making = asyncio.Lock()  # a second visitor waits for the map that the first has asked for
        self.films = 0  # in the making
        self.drawn: dict[str, float] = {}  # share that is done of each of them, by the name its page gave it

    # ---- What the page calls. Raises RequestError, LatentError, Busy, Gone.

    async def thumbnails(self, data: object, request: gr.Request | None = None) -> dict:
        question = self.read(Thumbnails, data)
        drawn = await self.draw(await self.worker.run(self.latents, question.dogs), request)
        return Pictures(pictures=await self.small(drawn, LARGE if question.large else THUMBNAIL)).to_json()

    async def wall(self, data: object, request: gr.Request | None = None) -> dict:
        z, dogs = await self.worker.run(random_dogs, self.studio, self.read(Wall, data), request=request)
        return Walled(pictures=await self.small(await self.draw(z, request), LARGE), dogs=dogs).to_json()

    async def enlarged(self, data: object, request: gr.Request | None = None) -> dict:
        question = self.read(Enlarged, data)
        drawn = await self.worker.run(
            lambda: self.studio.draw(self.studio.from_json(question.latent)[None]), request=request
        )
        picture = await asyncio.to_thread(lambda: data_url(film.enlarged(drawn, question.side)[0]))
        return Picture(picture=picture).to_json()

    async def atlas(self, data: object, request: gr.Request | None = None) -> dict:
        self.read(PageQuestion, data)
        await self.make_map()
        return Picture(picture=self.map_url).to_json()

    async def contact_sheet(self, data: object, request: gr.Request | None = None) -> dict:
        question = self.read(ContactSheet, data)
        drawn = await self.draw(await self.worker.run(self.latents, question.dogs), request)
        picture = await asyncio.to_thread(lambda: data_url(sheet(drawn, min(8, len(drawn)))))
        return Picture(picture=picture).to_json()

    async def movie(self, data: object, request: gr.Request | None = None) -> dict:
        question = self.read(Movie, data)
        way = await self.worker.run(self.way, question.dogs, question.frames)
        if self.films >= MAX_FILMS:
            raise Busy(CROWDED)
        self.films += 1
        try:
            drawn = await self.draw(way, request, lambda share: self.drawn.update({question.name: DRAWING * share}))
            encoded = await film.in_turn(film.encoded, drawn, question.kind, question.side)
        finally:
            self.films -= 1
            self.drawn.pop(question.name, None)
        mime = "image/gif" if question.kind == "gif" else "video/mp4"
        return File(file=f"data:{mime};base64,{base64.b64encode(encoded).decode()}").to_json()

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

    async def small(self, pictures: list[Image.Image], side: int) -> list[str]:
        return await asyncio.to_thread(lambda: [thumbnail_url(picture, side) for picture in pictures])

    def on_the_map(self, point: object) -> Tensor:
        """[x, y], each from 0 to 1 -> coordinates [D]. Raises RequestError."""
        at = read(Place, {"at": point}).at
        assert self.map is not None  # `make_map` came before
        return self.map.at(*at)

    async def make_map(self) -> None:
        """Draws the dogs of the map and lays them out, once, in turns so short that other visitors don't notice."""
        async with self.making:
            if self.map is not None:
                return
            zs: list[Tensor] = []
            cells: list[Image.Image] = []
            seen: list[Tensor] = []
            for first in range(0, SIDE * SIDE, SLICE):
                z, drawn, small = await self.worker.turn(self.map_dogs, range(first, first + SLICE))
                zs, cells, seen = [*zs, z], [*cells, *drawn], [*seen, small]
            steps = await self.worker.turn(lambda: sorting(looks(torch.cat(seen))))
            while (order := await self.worker.turn(next, steps, None)) is not None:
                laid = order
            whole = sheet([cells[i] for i in laid], SIDE)
            self.map_url = await asyncio.to_thread(thumbnail_url, whole, SIDE * CELL)
            self.map = await self.worker.turn(lambda: Atlas(self.studio.latents.coordinates(torch.cat(zs)[laid])))

    def map_dogs(self, seeds: range) -> tuple[Tensor, list[Image.Image], Tensor]:
        """Latents [n, D], pictures for the map, and what they are sorted by [n, 3, 40, 40]."""
        z = torch.cat([self.studio.sample(1, 1.0, seed) for seed in seeds])
        drawn = self.studio.draw(z)
        cells = [picture.resize((CELL, CELL), Image.Resampling.LANCZOS) for picture in drawn]
        return z, cells, torch.stack([to_tensor(picture, 40) for picture in drawn])


def sheet(pictures: list[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size side by side, row by row."""
    width, height = pictures[0].size
    whole = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for i, picture in enumerate(pictures):
        whole.paste(picture, (i % columns * width, i // columns * height))
    return whole
