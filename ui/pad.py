"""The pad: the dog and the sliders that move it, as one component.

Stock sliders and images need about 100 ms a move before the model does anything; here a move is one
plain POST. The server keeps no state: the browser holds the dog's numbers and sends all of them.
A server function can be called by anyone, so every value is checked.
"""

import uuid
from pathlib import Path

import gradio as gr
import torch
from torch import Tensor

from model.studio import MAX_COORDINATE, LatentError, Studio

from .explore import SWAPPED, Explorer
from .photo import see_photo
from .scripts import WEB, on_load
from .worker import Moves, Worker, data_url

STYLES = ("pad", "photo", "explore")
FIRST_SEED = 23  # looked at: what every visitor sees first should be one of the good ones


def build_pad(studio: Studio, worker: Worker, examples: list[Path]) -> gr.HTML:
    """The component, a dog already drawn in it. examples: pictures by the model, within allowed paths."""
    explorer = Explorer(studio, worker)

    def dog(z: Tensor) -> dict:
        """Everything the page keeps of a dog that rests: its picture and its numbers, raw and along directions."""
        return {"picture": data_url(studio.draw(z[None])[0])} | numbers(z)

    def numbers(z: Tensor) -> dict:
        c = studio.latents.coordinates(z[None])[0]
        return {"latent": studio.to_json(z), "c": [round(v, 4) for v in c.tolist()]}

    def draw_dog(request: object) -> dict:
        fields = explorer.fields(request)
        try:
            temperature, seed = float(fields["temperature"]), int(fields["seed"])
            keep = {int(i): float(v) for i, v in fields.get("keep") or []}
        except (KeyError, TypeError, ValueError, OverflowError):
            raise LatentError("The seed and the temperature are numbers.") from None
        if not all(0 <= i < studio.dim and abs(v) <= MAX_COORDINATE for i, v in keep.items()):
            raise LatentError("What is locked are directions of the model, each with its value.")
        try:
            z = studio.sample(1, temperature, seed)[0]
        except ValueError as error:
            raise LatentError(str(error)) from None
        if keep:  # the sliders that the visitor locked
            c = studio.latents.coordinates(z[None])[0]
            c[list(keep)] = torch.tensor(list(keep.values()))
            z = studio.at(c[None])[0]
        return dog(z)

    def moved_to(fields: dict) -> Tensor:
        """The latent [D] of a move."""
        if fields.get("space") == "raw":
            return studio.numbers(fields.get("values"))
        if fields.get("space") == "map":
            c = explorer.on_the_map(fields.get("values"))
        else:
            c = studio.numbers(fields.get("values"), most=MAX_COORDINATE)
        return studio.at(c[None])[0]

    def draw_moves(requests: list) -> list[dict]:
        """The moves of several pages in one batch: a JPEG for each, for one that rests a PNG and its numbers."""
        answers, zs = [], []
        for request in requests:
            try:
                fields = explorer.fields(request)
                z = moved_to(fields)
                answers.append(numbers(z) if fields.get("still") else {})
                zs.append(z)
            except LatentError as error:
                answers.append({"error": str(error)})
        pictures = iter(studio.draw(torch.stack(zs)) if zs else [])
        for answer in answers:
            if "error" not in answer:
                answer["picture"] = data_url(next(pictures), still="latent" in answer)
        return answers

    def open_latent(request: object) -> dict:
        return dog(studio.from_json(request))

    def look_at(upload: object) -> dict:
        answer = see_photo(studio, upload)
        return dog(answer.pop("z")) | answer if "z" in answer else answer

    moves = Moves(worker, draw_moves)

    # What the page calls; the names are its protocol.
    async def draw(data, request: gr.Request):
        return await worker.answer(draw_dog, data, request=request)

    async def move(data, request: gr.Request):
        fields = data if isinstance(data, dict) else {}
        page, number = fields.get("page"), fields.get("number")
        if not isinstance(page, str) or len(page) > 64 or not isinstance(number, int):
            page, number = uuid.uuid4().hex, 1  # a page of its own: no newer move of it will come
        return await moves.answer(page, number, data, request)

    async def load(data, request: gr.Request):
        return await worker.answer(open_latent, data, request=request)

    async def reconstruct(upload, request: gr.Request):
        return await worker.answer(look_at, upload, request=request)

    latents = studio.latents
    share = 100 * latents.effect / latents.effect.sum()
    z = studio.sample(1, 1.0, FIRST_SEED)[0]
    picture = data_url(studio.draw(z[None])[0], still=False)  # the page asks for the lossless one once it is there
    facts = {
        "first": numbers(z) | {"seed": FIRST_SEED},  # its picture is in the HTML, once
        "weights": studio.vae.weights_id,
        "swapped": SWAPPED,  # to be said of an answer by other weights
        "names": latents.names,
        "share": [round(v, 2) for v in share.tolist()],
        "raw_order": torch.argsort(latents.kl, descending=True).tolist(),  # dead dimensions come last
        "examples": [f"gradio_api/file={path}" for path in examples],
    }
    html = (WEB / "pad.html").read_text().replace("<!-- PHOTO -->", (WEB / "photo.html").read_text())
    return gr.HTML(
        value=facts,
        html_template=html.replace("FIRST_DOG", picture),
        css_template="".join((WEB / f"{name}.css").read_text() for name in STYLES),
        js_on_load=on_load("main.js"),
        server_functions=[draw, move, load, reconstruct, *explorer.functions()],
        apply_default_css=False,
        elem_id="pad",
    )
