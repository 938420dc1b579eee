"""The pad: the dog and the sliders that move it, as one component.

Stock sliders and images need about 100 ms a move before the model does anything; here a move is a frame of a
WebSocket (ui/channel.py) or one plain POST. The server keeps no state: the browser holds the dog's numbers and sends
all of them.
Anyone can call what the page calls, so every value is checked (`protocol`).
"""

import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import gradio as gr
import torch
from PIL import Image
from torch import Tensor

from model.latents import Chosen

from .explore import Explorer
from .facts import Facts, First
from .looks import Named
from .nearer import Descent, Descents
from .photo import see_photo
from .protocol import (
    Approach,
    Dog,
    Draw,
    Latent,
    Move,
    Moved,
    Nearer,
    Numbers,
    Problem,
    RequestError,
    Seen,
    Turn,
    read,
)
from .scripts import WEB, on_load
from .studio import MAX_COORDINATE, LatentError, Studio, jpeg, png
from .worker import Moves, Worker, data_url, milliseconds_since, sentence, thumbnail_url

STYLES = ("pad", "photo", "explore", "sliders")
# Chosen by eye: every visitor sees the first dog, and may mix it with the second.
FIRST_SEED, PARTNER_SEED = 135, 120


class Pad:
    """Answers the page about its dog: a random one, one that is moved, one from a file, one from a photo."""

    def __init__(self, studio: Studio, worker: Worker):
        self.studio, self.worker, self.explorer = studio, worker, Explorer(studio, worker)
        self.moves, self.descents = Moves(worker, self.draw_moves), Descents(studio, worker)
        self.named = Named(studio, worker)

    # ---- What the page calls. Raises PhotoError, LatentError, RequestError, Busy, Gone.

    async def draw(self, data: object, request: gr.Request | None = None) -> dict:
        return await self.worker.run(self.random_dog, data, request=request)

    async def move(self, data: object, request: gr.Request | None = None) -> dict:
        answer = await self.moved(data, request)
        return Moved(**answer).to_json() if "picture" in answer else answer

    async def moved(self, data: object, request: gr.Request | None = None) -> dict:
        """The same, the picture in bytes."""
        move = self.explorer.read(Move, data)
        if move.space == "map":  # of a page that has its map already: the server was restarted
            await self.explorer.make_map()
        try:
            turn = read(Turn, data)
        except RequestError:  # a caller that does not say which page it is: each of its moves is drawn
            turn = Turn(page=uuid.uuid4().hex, number=1)
        return await self.moves.answer(turn.page, turn.number, move, request)

    async def load(self, data: object, request: gr.Request | None = None) -> dict:
        return await self.worker.run(lambda: self.dog(self.studio.from_json(data)).to_json(), request=request)

    async def reconstruct(self, upload: object, request: gr.Request | None = None) -> dict:
        return await self.worker.run(self.see, upload, request=request)

    async def nearer(self, data: object, request: gr.Request | None = None) -> dict:
        descent = await self.descents.advance(self.explorer.read(Approach, data), request)
        return await self.descents.piece(self.shown, descent, request=request)

    # ---- How it is answered, in the worker's thread

    def numbers(self, z: Tensor) -> Numbers:
        c = self.studio.latents.coordinates(z[None])[0]
        return Numbers(latent=Latent(**self.studio.to_json(z)), c=[round(v, 4) for v in c.tolist()])

    def dog(self, z: Tensor) -> Dog:
        """Latent [D] -> its picture and its numbers."""
        return Dog(picture=data_url(self.studio.draw(z[None])[0]), **dict(self.numbers(z)))

    def random_dog(self, data: object) -> dict:
        question = self.explorer.read(Draw, data)
        return self.dog(self.studio.random(question.seed, question.temperature, question.keep or ())).to_json()

    def draw_moves(self, moves: list[Move]) -> list[dict]:
        """The moves of several pages, all of one kind in one batch: `Problem` or `Moved` for each, in Python's values.

        A picture is a JPEG; of a dog that rests a PNG, and its numbers are there, too.
        """
        began, zs = time.perf_counter(), [self.moved_to(move) for move in moves]
        pictures = self.draw_together([(z, move) for z, move in zip(zs, moves) if isinstance(z, Tensor)])
        decoding = milliseconds_since(began)
        moved = (
            z if isinstance(z, Problem) else self.to_moved(z, next(pictures), move.still, decoding)
            for z, move in zip(zs, moves)
        )
        return [answer.model_dump(exclude_none=True) for answer in moved]

    def to_moved(self, z: Tensor, picture: Image.Image, still: bool, decoding: float) -> Moved:
        began, numbers = time.perf_counter(), dict(self.numbers(z)) if still else {}
        kind: Literal["image/png", "image/jpeg"] = "image/png" if still else "image/jpeg"
        file = png(picture) if still else jpeg(picture)
        return Moved(picture=file, type=kind, decoding=decoding, encoding=milliseconds_since(began), **numbers)

    def draw_together(self, wanted: list[tuple[Tensor, Move]]) -> Iterator[Image.Image]:
        """Pictures of latents [D], each as its move wishes: whole or, where the model can, of half the size; of a dog
        that rests as well as the model can."""
        drawn: dict[int, Image.Image] = {}
        for half, still in itertools.product((False, True), repeat=2):
            places = [i for i, (_, move) in enumerate(wanted) if (move.half, move.still) == (half, still)]
            if places:
                decode = partial(self.studio.decode if still else self.studio.decode_moving, half=half)
                drawn |= zip(places, self.studio.draw(torch.stack([wanted[i][0] for i in places]), decode))
        return (drawn[i] for i in range(len(wanted)))

    def moved_to(self, move: Move) -> Tensor | Problem:
        """The latent [D] of a move."""
        try:
            if move.space == "raw":
                return self.studio.numbers(move.values)
            if move.space == "map":
                c = self.explorer.on_the_map(move.values)
            else:
                c = self.studio.numbers(move.values, most=MAX_COORDINATE)
            return self.studio.at(c[None])[0]
        except (LatentError, RequestError) as error:
            return Problem(error=str(error))

    def see(self, upload: object) -> dict:
        answer = see_photo(self.studio, upload)
        if "z" in answer:
            answer |= dict(self.dog(answer.pop("z"))) | {"nearer": self.descents.expected()}
        return Seen(**answer).to_json()

    def shown(self, descent: Descent) -> dict:
        picture, psnr = self.studio.redraw(descent.x, descent.z)
        share = 1.0 if descent.over else descent.done / descent.most
        url, steps = data_url(picture, still=descent.over), descent.done
        numbers = dict(self.numbers(descent.z))
        return Nearer(share=share, picture=url, steps=steps, psnr=round(psnr, 1), **numbers).to_json()

    def facts(self, examples: list[Path]) -> Facts:
        """examples: pictures by the model, within the paths that Gradio may show."""
        latents = self.studio.latents
        share = 100 * latents.effect / latents.effect.sum()
        chosen = latents.priors.get("chosen")
        foretold = (chosen.slopes, chosen.bends) if isinstance(chosen, Chosen) else (torch.empty(0), torch.empty(0))
        slopes, bends = ([round(v, 6) for v in values.tolist()] for values in foretold)
        first = self.numbers(self.studio.sample(1, 1.0, FIRST_SEED)[0])
        return Facts(
            first=First(seed=FIRST_SEED, **dict(first)),
            weights=self.studio.vae.weights_id,
            names=[str(name) for name in latents.names],
            share=[round(v, 2) for v in share.tolist()],
            raw_order=torch.argsort(latents.kl, descending=True).tolist(),
            examples=[f"gradio_api/file={path}" for path in examples],
            partner=PARTNER_SEED,
            looks=self.named.look_facts(),
            breeds=self.named.breed_names(),
            slopes=slopes,
            bends=bends,
        )

    def first_picture(self) -> str:
        """Small, for the HTML; the page asks for the lossless one once it is there."""
        return thumbnail_url(self.studio.draw(self.studio.sample(1, 1.0, FIRST_SEED))[0], self.studio.size)


def build_pad(pad: Pad, examples: list[Path]) -> gr.HTML:
    """The component, a dog already drawn in it. examples: pictures by the model, within allowed paths."""
    tabs = pad.explorer
    # By these names the page's scripts call them.
    called = [pad.draw, pad.move, pad.load, pad.reconstruct, pad.nearer]
    called += [tabs.thumbnails, tabs.wall, tabs.enlarged, tabs.atlas, tabs.contact_sheet, tabs.movie, tabs.progress]
    called += [pad.named.ways, pad.named.toward, pad.named.see_breeds]
    for work in (pad.studio.hasten, pad.descents.measure):  # once the page is there
        pad.worker.pool.submit(work)
    html = (WEB / "pad.html").read_text(encoding="utf-8")
    for part in ("photo", "sliders"):
        html = html.replace(f"<!-- {part.upper()} -->", (WEB / f"{part}.html").read_text(encoding="utf-8"))
    return gr.HTML(
        value=pad.facts(examples).to_json(),
        html_template=html.replace("FIRST_DOG", pad.first_picture()),
        css_template="".join((WEB / f"{name}.css").read_text(encoding="utf-8") for name in STYLES),
        js_on_load=on_load("main.js"),
        server_functions=[server_function(method) for method in called],
        apply_default_css=False,
        elem_id="pad",
    )


def server_function(method: Callable[..., Awaitable[dict]]) -> Callable[..., Awaitable[dict]]:
    """A method as gr.HTML takes it: a function of the same name, since Gradio sets attributes on it, and a bound method
    takes none. What goes wrong comes back as a Problem."""

    async def answer(data, request: gr.Request):
        return await sentence(method(data, request))

    answer.__name__ = method.__name__
    return answer
