"""The pad: the dog and the sliders that move it, as one component.

Stock sliders and images need about 100 ms a move before the model does anything; here a move is one
plain POST. The server keeps no state: the browser holds the dog's numbers and sends all of them.
A server function can be called by anyone, so every value is checked.
"""

from pathlib import Path

import gradio as gr
import torch
from torch import Tensor

from model.images import PhotoError
from model.studio import MAX_LATENT, LatentError, Studio

from .worker import Worker, data_url

HERE = Path(__file__).parent
FIRST_SEED = 27


def build_pad(studio: Studio, worker: Worker, examples: list[Path]) -> gr.HTML:
    """The component, a dog already drawn in it. examples: pictures by the model, within allowed paths."""

    def dog(z: Tensor) -> dict:
        """Everything the page keeps of a dog that rests: its picture and its numbers, raw and along directions."""
        c = studio.latents.coordinates(z[None])[0]
        numbers = {"latent": studio.to_json(z), "c": [round(v, 4) for v in c.tolist()]}
        return {"picture": data_url(studio.draw(z[None])[0])} | numbers

    def draw_dog(request: object) -> dict:
        fields = request if isinstance(request, dict) else {}
        try:
            temperature, seed = float(fields["temperature"]), int(fields["seed"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise LatentError("The seed and the temperature are numbers.") from None
        try:
            z = studio.sample(1, temperature, seed)[0]
        except ValueError as error:
            raise LatentError(str(error)) from None
        return dog(z)

    def move_dog(request: object) -> dict:
        fields = request if isinstance(request, dict) else {}
        if fields.get("space") == "raw":
            z = studio.numbers(fields.get("values"))
        else:  # a latent that may be loaded is at most this many standard deviations away
            c = studio.numbers(fields.get("values"), most=1e5)
            z = studio.latents.from_coordinates(c[None])[0].clamp(-MAX_LATENT, MAX_LATENT)
        if fields.get("still"):
            return dog(z)
        return {"picture": data_url(studio.draw(z[None])[0], still=False)}

    def open_latent(request: object) -> dict:
        return dog(studio.from_json(request))

    def see_photo(upload: object) -> dict:
        seen = studio.reconstruct(photo_bytes(upload))
        return dog(seen.z) | {"crop": data_url(seen.crop), "psnr": round(seen.psnr, 1)}

    # What the page calls; the names are its protocol.
    async def draw(request):
        return await worker.answer(draw_dog, request)

    async def move(request):
        return await worker.answer(move_dog, request)

    async def load(request):
        return await worker.answer(open_latent, request)

    async def reconstruct(upload):
        return await worker.answer(see_photo, upload)

    latents = studio.latents
    share = 100 * latents.effect / latents.effect.sum()
    first = dog(studio.sample(1, 1.0, FIRST_SEED)[0])
    facts = {
        "first": first | {"seed": FIRST_SEED},
        "names": latents.names,
        "share": [round(v, 2) for v in share.tolist()],
        "raw_order": torch.argsort(latents.kl, descending=True).tolist(),  # dead dimensions come last
        "examples": [f"gradio_api/file={path}" for path in examples],
    }
    html = (HERE / "pad.html").read_text().replace("FIRST_DOG", first["picture"])
    return gr.HTML(
        value=facts,
        html_template=html,
        css_template=(HERE / "pad.css").read_text(),
        js_on_load=(HERE / "live.js").read_text() + (HERE / "pad.js").read_text(),
        server_functions=[draw, move, load, reconstruct],
        apply_default_css=False,
        elem_id="pad",
    )


def photo_bytes(upload: object) -> bytes:
    """The one file of a binary server call: Gradio has deleted its own copy by now."""
    files = getattr(upload, "files", None)
    if not files:
        raise PhotoError("No photo arrived; please choose one.")
    return files[0][1]
