"""The named endpoints for programs: /sample, /decode, /reconstruct, /morph (gradio_client, curl, MCP).

Each answers bad input with one plain sentence (gr.Error) and has its dogs drawn on the one inference thread.
"""

import asyncio
import json
import tempfile
from pathlib import Path

import gradio as gr

from model.images import PhotoError

from . import film
from .batch import draw_many
from .studio import LatentError, Studio
from .worker import Busy, Worker

NUMBERS = {"type": "array", "items": {"type": "number"}}
MAX_DOGS, MAX_FRAMES, MAX_LATENT_BYTES = 64, 60, 100_000


def latent_input() -> gr.JSON:
    """gr.JSON that says what it takes: its own schema is one that MCP clients refuse."""
    fields = {"format": {"type": "number"}, "weights": {"type": "string"}, "z": NUMBERS}
    component = gr.JSON()  # not a class of our own, for which Gradio would write a file beside this one
    component.api_info = lambda: {"anyOf": [NUMBERS, {"type": "object", "properties": fields}]}
    return component


def build_api(studio: Studio, worker: Worker) -> None:
    """Adds the endpoints to the Blocks around it; nothing of it is seen on the page."""

    async def sentence(work):
        try:
            return await work
        except (Busy, ValueError) as error:  # PhotoError and LatentError among them
            raise gr.Error(str(error)) from None
        except (TypeError, OverflowError, RecursionError):
            raise gr.Error("Some of what was sent is not of the kind that this endpoint takes.") from None

    def parse(latent: object):
        if isinstance(latent, str):
            if len(latent) > MAX_LATENT_BYTES:
                raise LatentError("This is too long to be a latent, which is a list of 256 numbers.")
            try:
                latent = json.loads(latent)
            except json.JSONDecodeError:
                raise LatentError("This is not a latent: it is no valid JSON.") from None
        return studio.from_json(latent)

    def whole(value: float, name: str, low: int, high: int) -> int:
        if not isinstance(value, (int, float)) or not low <= value <= high or value != int(value):
            raise ValueError(f"{name} is a whole number from {low} to {high}.")
        return int(value)

    async def sample(seed: float, temperature: float, n: float):
        """Draws n random dogs.

        Args:
            seed: whole number from 0 to 9007199254740991; the same seed draws the same dogs.
            temperature: 0 (the mean dog) to 2; 1 is how real dogs vary.
            n: how many, 1 to 64.
        Returns:
            The pictures (PNG, 128 x 128) and their latents.
        """

        def latents():
            return studio.sample(whole(n, "n", 1, MAX_DOGS), float(temperature), whole(seed, "The seed", 0, 2**53 - 1))

        async def work():
            z = await worker.run(latents)
            return await draw_many(studio, worker, z), [studio.to_json(row) for row in z]

        return await sentence(work())

    async def decode(latent):
        """Draws the dog of a latent.

        Args:
            latent: {"format": 1, "weights": ..., "z": [256 numbers]}, or the bare list of numbers.
        Returns:
            The picture (PNG, 128 x 128).
        """
        return await sentence(worker.run(lambda: studio.draw(parse(latent)[None])[0]))

    page = gr.context.Context.root_block

    def forget_later(photo: str) -> None:
        """Gradio deletes in time what clients upload, but not what MCP clients send as a data: URL, in file.EXT."""
        if Path(photo).stem == "file":
            copies = Path(gr.utils.get_upload_folder()).glob(f"*/{Path(photo).name}")
            page.upload_file_set.update(map(str, copies))

    async def reconstruct(photo: str):
        """Finds the dog's head in a photo, encodes it and decodes it again.

        Args:
            photo: a picture file, at most 25 MB; the dog's head is looked for and cut out.
        Returns:
            The crop, the reconstruction, its PSNR in dB, and the latent.
        """

        def work():
            if not photo:
                raise PhotoError("No photo arrived; please send one.")
            forget_later(photo)
            seen = studio.see(photo)
            return seen.crop, seen.picture, round(seen.psnr, 2), studio.to_json(seen.z)

        return await sentence(worker.run(work))

    async def morph(a, b, frames: float):
        """Draws the way from one latent to another, along a great circle in whitened space.

        Args:
            a: the latent to start from.
            b: the latent to end at.
            frames: how many pictures, 2 to 60.
        Returns:
            An animated GIF and its frames.
        """

        def way():
            return studio.path(parse(a), parse(b), whole(frames, "frames", 2, MAX_FRAMES))

        async def work():
            pictures = await draw_many(studio, worker, await worker.run(way))
            path = Path(tempfile.mkdtemp(dir=gr.utils.get_upload_folder())) / "morph.gif"
            path.write_bytes(await asyncio.to_thread(film.gif, pictures))
            return str(path), pictures

        return await sentence(work())

    with gr.Row(visible=False):
        numbers = [gr.Number() for _ in range(3)]
        latents = [latent_input() for _ in range(2)]
        many_latents = gr.JSON()
        photo, gif = gr.File(type="filepath"), gr.File()
        pictures = gr.Gallery(format="png")
        images = [gr.Image(format="png") for _ in range(2)]
        button = gr.Button()
    limits = {"api_visibility": "public", "concurrency_id": "api", "concurrency_limit": 4}
    button.click(sample, numbers, [pictures, many_latents], api_name="sample", **limits)
    button.click(decode, latents[0], images[0], api_name="decode", **limits)
    button.click(reconstruct, photo, [*images, numbers[0], latents[0]], api_name="reconstruct", **limits)
    button.click(morph, [*latents, numbers[0]], [gif, pictures], api_name="morph", **limits)
