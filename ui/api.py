"""The named endpoints for programs: /sample, /decode, /move, /breeds, /reconstruct, /morph (gradio_client, curl, MCP).

Bad input raises an error of one plain sentence, which the frame of the page tells (`page.Page`). Dogs are drawn on the
one inference thread.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.context import LocalContext
from pydantic import Field
from torch import Tensor

from model.nearer import STEPS
from model.photos import CUT_SHORT, PhotoError
from model.pixels import to_file

from . import film
from .batch import draw_many
from .looks import NO_BREEDS, Named
from .nearer import Descents
from .protocol import KIND, MAX_FRAMES, Question, RequestError, Whole, read
from .studio import LatentError, Reconstruction, Studio
from .worker import Worker

NUMBERS = {"type": "array", "items": {"type": "number"}}
MAX_LATENT_BYTES = 100_000
MAX_DOGS, MAX_SEED, MAX_STEPS, MAX_AMOUNT, MAX_BREEDS = 64, 2**53 - 1, 40, 20, 10


class Sample(Question):
    n: Whole = Field(ge=1, le=MAX_DOGS, description=f"n is a whole number from 1 to {MAX_DOGS}.")
    temperature: float = Field(description=KIND)
    seed: Whole = Field(ge=0, le=MAX_SEED, description=f"The seed is a whole number from 0 to {MAX_SEED}.")


class Reconstruct(Question):
    nearer: Whole = Field(ge=0, le=MAX_STEPS, description=f"nearer is a whole number from 0 to {MAX_STEPS}.")


class Along(Question):
    toward: str = Field(max_length=64, description="toward is the name of a Look or of a breed.")
    amount: float = Field(
        ge=-MAX_AMOUNT, le=MAX_AMOUNT, description=f"The amount is a number from -{MAX_AMOUNT} to {MAX_AMOUNT}."
    )


class Morph(Question):
    frames: Whole = Field(ge=2, le=MAX_FRAMES, description=f"frames is a whole number from 2 to {MAX_FRAMES}.")


class Api:
    """The endpoints. Docstrings and type hints are what clients and MCP read about them.

    uploads: the paths of the files that Gradio will delete in time. All raise PhotoError, LatentError, RequestError
    or Busy; Gone where nobody waits for the answer.
    """

    def __init__(self, studio: Studio, worker: Worker, uploads: set[str], descents: Descents, named: Named):
        """descents, named: the page's own; what programs ask for goes through them, too."""
        self.studio, self.worker, self.uploads = studio, worker, uploads
        self.descents, self.named = descents, named

    async def sample(self, seed: float, temperature: float, n: float):
        """Draws n random dogs.

        Args:
            seed: whole number from 0 to 9007199254740991; the same seed draws the same dogs.
            temperature: 0 (one ordinary dog) to 2; 1 is how real dogs vary.
            n: how many, 1 to 64.
        Returns:
            The pictures (PNG) and their latents.
        """
        asked = read(Sample, {"seed": seed, "temperature": temperature, "n": n})
        z = await self.worker.run(self.studio.sample, asked.n, asked.temperature, asked.seed)
        return await draw_many(self.studio, self.worker, z), [self.studio.to_json(row) for row in z]

    async def decode(self, latent):
        """Draws the dog of a latent.

        Args:
            latent: {"format": 1, "weights": ..., "z": [256 numbers]}, or the bare list of numbers.
        Returns:
            The picture (PNG).
        """
        return await self.worker.run(lambda: self.studio.draw(self.parse(latent)[None])[0])

    async def move(self, latent, toward: str, amount: float):
        """Changes one thing of a dog, or makes it more like a breed; the background stays.

        Args:
            latent: of the dog.
            toward: the name of a Look ("ears", "coat", "mouth" ...) or of a breed ("beagle").
            amount: by how much, -20 to 20, in standard deviations of random dogs; below 0 the other way.
        Returns:
            The picture (PNG) and its latent.
        """
        asked = read(Along, {"toward": toward, "amount": amount})
        z = await self.worker.run(lambda: self.named.moved(self.parse(latent)[None], asked.toward, asked.amount))
        [picture] = await self.worker.run(self.studio.draw, z)
        return picture, self.studio.to_json(z[0])

    async def breeds(self, latent):
        """Which breeds EfficientNet-Lite0, a classifier of photos, sees in a dog.

        Args:
            latent: of the dog.
        Returns:
            At most ten breeds, the likeliest first, each with its share of all 118 (0 to 1).
        """
        if self.named.sight is None:
            raise RequestError(NO_BREEDS)
        seen = await self.worker.run(lambda: self.named.told(self.parse(latent)[None], MAX_BREEDS))
        return [one.model_dump() for one in seen]

    async def reconstruct(self, photo: str, nearer: float = STEPS):
        """Finds the dog's head in a photo, encodes it and decodes it again.

        Args:
            photo: a picture file, at most 25 MB; the dog's head is looked for and cut out.
            nearer: whole number from 0 to 40; in so many steps the first answer is brought nearer to the photo.
        Returns:
            The crop, the reconstruction, its PSNR in dB, the latent, the photo with the reconstruction in it (JPEG).
            Of a file that is cut short near its end a warning comes before them.
        """
        steps = read(Reconstruct, {"nearer": nearer}).nearer
        seen = await self.worker.run(self.see, photo)
        if seen.photo.info.get("cut_short"):
            gr.Warning(CUT_SHORT)
        picture, psnr, z = seen.picture, seen.psnr, seen.z
        if steps:
            z = await self.descents.whole(seen.x, steps, has_hung_up)
            picture, psnr = await self.worker.run(self.studio.redraw, seen.x, z)
        back = await self.worker.run(seen.place.paste, seen.photo, picture)
        path = await asyncio.to_thread(self.keep, "dog.jpg", lambda: to_file(back, "JPEG", quality=92))
        return seen.crop, picture, round(psnr, 2), self.studio.to_json(z), path

    async def morph(self, a, b, frames: float):
        """Draws the way from one latent to another, along a great circle in whitened space.

        Args:
            a: the latent to start from.
            b: the latent to end at.
            frames: how many pictures, 2 to 60.
        Returns:
            An animated GIF and its frames.
        """

        def way() -> Tensor:
            return self.studio.path(self.parse(a), self.parse(b), read(Morph, {"frames": frames}).frames)

        pictures = await draw_many(self.studio, self.worker, await self.worker.run(way))
        return await film.in_turn(self.keep, "morph.gif", lambda: film.gif(pictures)), pictures

    # ---- How it is answered

    def parse(self, latent: object) -> Tensor:
        """A latent [D] as JSON, or as what JSON says. Raises LatentError, RequestError."""
        if isinstance(latent, str):
            if len(latent) > MAX_LATENT_BYTES:
                raise LatentError("This is too long to be a latent, which is a list of 256 numbers.")
            try:
                latent = json.loads(latent)
            except ValueError:
                raise LatentError("This is not a latent: it is no valid JSON.") from None
            except RecursionError:
                raise RequestError(KIND) from None
        return self.studio.from_json(latent)

    def keep(self, name: str, make: Callable[[], bytes]) -> str:
        """The path of a file to be fetched, which Gradio will delete in time."""
        path = Path(tempfile.mkdtemp(dir=gr.utils.get_upload_folder())) / name
        path.write_bytes(make())
        return str(path)

    def see(self, photo: str) -> Reconstruction:
        if not photo:
            raise PhotoError("No photo arrived; please send one.")
        self.forget_later(photo)
        return self.studio.see(photo)

    def forget_later(self, photo: str) -> None:
        """Gradio deletes in time what clients upload, but not what MCP clients send as a data: URL, in file.EXT."""
        if Path(photo).stem == "file":
            copies = Path(gr.utils.get_upload_folder()).glob(f"*/{Path(photo).name}")
            self.uploads.update(map(str, copies))


async def has_hung_up() -> bool:
    """Whether the program that called the endpoint which runs now waits for no answer any more."""
    event, request = LocalContext.event_id.get(None), LocalContext.request.get(None)
    if event is None:  # not queued: its own request waits
        return request is not None and await request.is_disconnected()
    # Of a queued call Gradio watches another request, and notes here that it was closed.
    page = LocalContext.blocks.get(None)
    jobs = [job for some in page._queue.active_jobs for job in some or ()] if page else []
    return any(job._id == event and not job.alive for job in jobs)


def build_api(studio: Studio, worker: Worker, descents: Descents, named: Named) -> None:
    """Adds the endpoints to the Blocks around it; nothing of it is seen on the page."""
    page = gr.context.Context.root_block
    assert page is not None
    api = Api(studio, worker, page.upload_file_set, descents, named)
    with gr.Row(visible=False):
        numbers = [gr.Number() for _ in range(3)]
        latents = [latent_input() for _ in range(2)]
        many_latents, breeds, toward = gr.JSON(), gr.JSON(), gr.Textbox()
        photo, gif = gr.File(type="filepath"), gr.File()
        pictures = gr.Gallery(format="png")
        images, steps, back = [gr.Image(format="png") for _ in range(2)], gr.Number(STEPS), gr.Image(format="jpeg")
        button = gr.Button()
    click = partial(button.click, api_visibility="public", concurrency_id="api", concurrency_limit=4)
    click(api.sample, numbers, [pictures, many_latents], api_name="sample")
    click(api.decode, latents[0], images[0], api_name="decode")
    click(api.move, [latents[0], toward, numbers[0]], [images[0], latents[1]], api_name="move")
    click(api.breeds, latents[0], breeds, api_name="breeds")
    click(api.reconstruct, [photo, steps], [*images, numbers[0], latents[0], back], api_name="reconstruct")
    click(api.morph, [*latents, numbers[0]], [gif, pictures], api_name="morph")


def latent_input() -> gr.JSON:
    """gr.JSON that says what it takes: its own schema is one that MCP clients refuse."""
    fields = {"format": {"type": "number"}, "weights": {"type": "string"}, "z": NUMBERS}
    component = gr.JSON()  # not a class of our own, for which Gradio would write a file beside this one
    schema = {"anyOf": [NUMBERS, {"type": "object", "properties": fields}]}
    component.api_info = lambda: schema  # type: ignore[method-assign]
    return component
