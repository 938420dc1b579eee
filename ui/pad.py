"""The pad: the dog and the sliders that move it, as one component.

Stock sliders and images need about 100 ms a move before the model does anything; here a move is one
plain POST. The server keeps no state: the browser holds the dog's numbers and sends all of them.
Anyone can call what the page calls, so every value is checked (`protocol`).
"""

import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import gradio as gr
import torch
from torch import Tensor

from .explore import Explorer
from .photo import see_photo
from .protocol import Dog, Draw, Facts, First, Latent, Move, Moved, Numbers, Problem, RequestError, Seen, Turn, read
from .scripts import WEB, on_load
from .studio import MAX_COORDINATE, LatentError, Studio
from .worker import Moves, Worker, data_url, sentence

STYLES = ("pad", "photo", "explore")
FIRST_SEED = 23  # looked at: what every visitor sees first should be one of the good ones


class Pad:
    """Answers the page about its dog: a random one, one that is moved, one from a file, one from a photo."""

    def __init__(self, studio: Studio, worker: Worker):
        self.studio, self.worker, self.explorer = studio, worker, Explorer(studio, worker)
        self.moves = Moves(worker, self.draw_moves)

    # ---- What the page calls. Raises PhotoError, LatentError, RequestError, Busy, Gone.

    async def draw(self, data: object, request: gr.Request | None = None) -> dict:
        return await self.worker.run(self.random_dog, data, request=request)

    async def move(self, data: object, request: gr.Request | None = None) -> dict:
        move = self.explorer.read(Move, data)
        try:
            turn = read(Turn, data)
        except RequestError:  # a page of its own: no newer move of it will come
            turn = Turn(page=uuid.uuid4().hex, number=1)
        return await self.moves.answer(turn.page, turn.number, move, request)

    async def load(self, data: object, request: gr.Request | None = None) -> dict:
        return await self.worker.run(lambda: self.dog(self.studio.from_json(data)).to_json(), request=request)

    async def reconstruct(self, upload: object, request: gr.Request | None = None) -> dict:
        return await self.worker.run(self.see, upload, request=request)

    # ---- How it is answered, in the worker's thread

    def numbers(self, z: Tensor) -> Numbers:
        c = self.studio.latents.coordinates(z[None])[0]
        return Numbers(latent=Latent(**self.studio.to_json(z)), c=[round(v, 4) for v in c.tolist()])

    def dog(self, z: Tensor) -> Dog:
        """Latent [D] -> its picture and its numbers."""
        return Dog(picture=data_url(self.studio.draw(z[None])[0]), **dict(self.numbers(z)))

    def random_dog(self, data: object) -> dict:
        question = self.explorer.read(Draw, data)
        z = self.studio.sample(1, question.temperature, question.seed)[0]
        if question.keep:  # the sliders that the visitor locked
            keep = dict(question.keep)
            c = self.studio.latents.coordinates(z[None])[0]
            c[list(keep)] = torch.tensor(list(keep.values()))
            z = self.studio.at(c[None])[0]
        return self.dog(z).to_json()

    def draw_moves(self, moves: list[Move]) -> list[dict]:
        """The moves of several pages in one batch: a JPEG for each, for one that rests a PNG and its numbers."""
        zs = [self.moved_to(move) for move in moves]
        good = [z for z in zs if isinstance(z, Tensor)]
        pictures = iter(self.studio.draw(torch.stack(good)) if good else [])
        answers: list[Problem | Moved] = []
        for z, move in zip(zs, moves):
            if isinstance(z, Problem):
                answers.append(z)
            else:
                numbers = dict(self.numbers(z)) if move.still else {}
                answers.append(Moved(picture=data_url(next(pictures), still=move.still), **numbers))
        return [answer.to_json() for answer in answers]

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
            answer |= dict(self.dog(answer.pop("z")))
        return Seen(**answer).to_json()

    def facts(self, examples: list[Path]) -> Facts:
        """examples: pictures by the model, within the paths that Gradio may show."""
        latents = self.studio.latents
        share = 100 * latents.effect / latents.effect.sum()
        first = self.numbers(self.studio.sample(1, 1.0, FIRST_SEED)[0])
        return Facts(
            first=First(seed=FIRST_SEED, **dict(first)),
            weights=self.studio.vae.weights_id,
            names=[str(name) for name in latents.names],
            share=[round(v, 2) for v in share.tolist()],
            raw_order=torch.argsort(latents.kl, descending=True).tolist(),
            examples=[f"gradio_api/file={path}" for path in examples],
        )

    def first_picture(self) -> str:
        """Small, for the HTML; the page asks for the lossless one once it is there."""
        return data_url(self.studio.draw(self.studio.sample(1, 1.0, FIRST_SEED))[0], still=False)


def build_pad(studio: Studio, worker: Worker, examples: list[Path]) -> gr.HTML:
    """The component, a dog already drawn in it. examples: pictures by the model, within allowed paths."""
    pad = Pad(studio, worker)
    tabs = pad.explorer
    # By these names the page's scripts call them.
    called = [pad.draw, pad.move, pad.load, pad.reconstruct]
    called += [tabs.thumbnails, tabs.atlas, tabs.contact_sheet, tabs.movie, tabs.progress]
    html, photo = ((WEB / f"{name}.html").read_text(encoding="utf-8") for name in ("pad", "photo"))
    html = html.replace("<!-- PHOTO -->", photo)
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
