"""What the page asks for beside the dog itself: thumbnails, the map, a contact sheet, and films."""

import asyncio
import base64
from functools import partial

import gradio as gr
import torch
from PIL import Image
from torch import Tensor

from model.atlas import SIDE, Atlas, lay_out, looks
from model.pixels import to_tensor

from . import film
from .batch import PIECE, draw_many
from .studio import MAX_COORDINATE, LatentError, Studio
from .worker import Worker, data_url, sentence, thumbnail_url

MAX_THUMBNAILS, MAX_SHEET, MAX_FRAMES = 32, 64, 60
CELL = 56  # pixels a dog on the map


SWAPPED = "The model behind this page has been changed; reload the page to draw with the new one."


class Explorer:
    def __init__(self, studio: Studio, worker: Worker):
        self.studio, self.worker = studio, worker
        self.atlas: Atlas | None = None  # laid out when the first visitor opens the map
        self.map_url = ""
        self.progress: dict[str, float] = {}  # of the films being made, by the name that their page gave them

    def fields(self, request: object) -> dict:
        """A request of the page. Raises LatentError if the page was made for another model."""
        fields = request if isinstance(request, dict) else {}
        if fields.get("weights") not in (None, self.studio.vae.weights_id):
            raise LatentError(SWAPPED)
        return fields

    def rows(self, values: object, most: int) -> Tensor:
        """Lists of coordinates -> latents [N, D]. Raises LatentError."""
        if not isinstance(values, list) or not 1 <= len(values) <= most:
            raise LatentError(f"This takes a list of 1 to {most} dogs.")
        c = torch.stack([self.studio.numbers(row, most=MAX_COORDINATE) for row in values])
        return self.studio.at(c)

    def way(self, ends: list, frames: int) -> Tensor:
        """The latents of a film from one dog to another. Raises LatentError."""
        return self.studio.path(*self.rows(ends, 2), frames)

    def on_the_map(self, values: object) -> Tensor:
        """x, y from 0 to 1 -> coordinates [D]. Raises LatentError."""
        good = isinstance(values, list) and len(values) == 2 and all(type(v) in (int, float) for v in values)
        if not good or not all(0 <= v <= 1 for v in values):
            raise LatentError("A place on the map is two numbers from 0 to 1.")
        if self.atlas is None:  # a restarted server, and a page that has its map already
            self.lay_out([picture for piece in self.map_dogs().split(PIECE) for picture in self.studio.draw(piece)])
        return self.atlas.at(*values)

    def map_dogs(self) -> Tensor:
        return torch.cat([self.studio.sample(1, 1.0, seed) for seed in range(SIDE * SIDE)])

    def lay_out(self, pictures: list[Image.Image]) -> None:
        order = lay_out(looks(torch.stack([to_tensor(picture, 40) for picture in pictures])))
        self.map_url = thumbnail_url(sheet([pictures[i] for i in order], SIDE), SIDE * CELL)
        self.atlas = Atlas(self.studio.latents.coordinates(self.map_dogs()[order]))

    def functions(self) -> list:
        """What the page calls; the names are its protocol. The worker has the tensors, other threads the files."""
        ask, aside = self.worker.run, asyncio.to_thread
        draw = partial(draw_many, self.studio, self.worker)

        async def make_thumbnails(data, request) -> dict:
            fields = self.fields(data)
            drawn = await draw(await ask(self.rows, fields.get("dogs"), MAX_THUMBNAILS), request)
            return {"pictures": await aside(lambda: [thumbnail_url(picture, 96) for picture in drawn])}

        async def make_map(data, request) -> dict:
            self.fields(data)
            if self.atlas is None:
                drawn = await draw(await ask(self.map_dogs), request)
                await ask(self.lay_out, drawn)
            return {"picture": self.map_url}

        async def make_sheet(data, request) -> dict:
            drawn = await draw(await ask(self.rows, self.fields(data).get("dogs"), MAX_SHEET), request)
            return {"picture": await aside(lambda: data_url(sheet(drawn, min(8, len(drawn)))))}

        async def make_film(data, request) -> dict:
            fields = self.fields(data)
            name, kind, frames = (fields.get(key) for key in ("name", "kind", "frames"))
            if kind not in ("gif", "mp4") or type(frames) is not int or not 2 <= frames <= MAX_FRAMES:
                raise LatentError(f"A film is a gif or an mp4 of 2 to {MAX_FRAMES} frames.")
            if not isinstance(name, str) or len(name) > 64:
                raise LatentError("A film has a name, by which its page asks how far it is.")
            ends = fields.get("dogs")
            if not isinstance(ends, list) or len(ends) != 2:
                raise LatentError("A film leads from one dog to another.")
            way = await ask(self.way, ends, frames)
            try:
                drawn = await draw(way, request, lambda share: self.progress.update({name: 0.8 * share}))
                encode = film.gif if kind == "gif" else film.mp4
                data = await aside(encode, film.there_and_back(drawn))
            finally:
                self.progress.pop(name, None)
            mime = "image/gif" if kind == "gif" else "video/mp4"
            return {"file": f"data:{mime};base64,{base64.b64encode(data).decode()}"}

        async def thumbnails(data, request: gr.Request):
            return await sentence(make_thumbnails(data, request))

        async def atlas(data, request: gr.Request):
            return await sentence(make_map(data, request))

        async def contact_sheet(data, request: gr.Request):
            return await sentence(make_sheet(data, request))

        async def movie(data, request: gr.Request):
            return await sentence(make_film(data, request))

        async def progress(name):
            return {"share": self.progress.get(name, 0) if isinstance(name, str) else 0}

        return [thumbnails, atlas, contact_sheet, movie, progress]


def sheet(pictures: list[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size side by side, row by row."""
    width, height = pictures[0].size
    whole = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for i, picture in enumerate(pictures):
        whole.paste(picture, (i % columns * width, i // columns * height))
    return whole
