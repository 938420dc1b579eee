"""The page "How it works": what an autoencoder, a plain VAE and DogVAE make of the same dog, computed live."""

from pathlib import Path

import gradio as gr
from PIL import Image

from .photo import photo_bytes
from .scripts import WEB, on_load
from .studio import Studio
from .worker import Worker, data_url

DRAWN = 6  # random dogs a row


def build_lesson(studios: dict[str, Studio], worker: Worker, example: Path) -> gr.HTML:
    """studios: for "autoencoder", "classic" and "dogvae"; example: the dog that stands in for a photo."""
    before = first_phase(studios["dogvae"], example.parent)
    after = studios["dogvae"].draw(studios["dogvae"].sample(len(before), 1.0, seed=0)) if before else []

    def see(upload: object) -> dict:
        """One photo through every model."""
        data = photo_bytes(upload) if getattr(upload, "files", None) else example.read_bytes()
        answer = {}
        for name, studio in studios.items():
            seen = studio.reconstruct(data)
            answer[name] = {
                "crop": data_url(seen.crop),
                "picture": data_url(seen.picture),
                "psnr": round(seen.psnr, 1),
                "z": [round(v, 3) for v in seen.z.tolist()],
            }
        return answer

    def draw(request: object) -> dict:
        """Random dogs of every model, from the bell curve and from the Gaussian fitted to its latents of real dogs."""
        seed = request if isinstance(request, int) and 0 <= request < 2**31 else 0
        rows = {
            f"{name} {prior}": studio.draw(studio.sample(DRAWN, 1.0, seed, prior))
            for prior in ("normal", "fitted")
            for name, studio in studios.items()
        }
        rows |= {"dogvae before": before, "dogvae after": after} if before else {}
        return {row: [data_url(picture) for picture in pictures] for row, pictures in rows.items()}

    async def reconstructions(upload):
        return await worker.answer(see, upload)

    async def samples(seed):
        return await worker.answer(draw, seed)

    return gr.HTML(
        value="",
        html_template=(WEB / "lesson.html").read_text(encoding="utf-8"),
        css_template=(WEB / "lesson.css").read_text(encoding="utf-8"),
        js_on_load=on_load("lesson.js"),
        server_functions=[reconstructions, samples],
        apply_default_css=False,
        elem_id="lesson",
    )


def first_phase(studio: Studio, assets: Path) -> list[Image.Image]:
    """The dogs of seed 0 as they looked before the second phase (training.examples); none for other weights."""
    path = assets / f"first-phase-{studio.vae.weights_id}.webp"
    if not path.is_file():
        return []
    strip = Image.open(path).convert("RGB")
    return [strip.crop((x, 0, x + strip.height, strip.height)) for x in range(0, strip.width, strip.height)]
