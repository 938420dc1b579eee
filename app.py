"""DogVAE's page: `make app`, or as a Hugging Face Space.

Environment: WEIGHTS, a folder or user/name[@revision] (default: the embedded weights); PORT or
GRADIO_SERVER_PORT (default 7860).
"""

import os
from pathlib import Path

import gradio as gr

from model import load
from model.studio import Studio
from ui.api import build_api
from ui.lesson import build_lesson
from ui.pad import build_pad
from ui.worker import Worker

HERE = Path(__file__).parent
TITLE = "DogVAE: draw a dog from 256 numbers"
# What a component's own scoped CSS can't say. Gradio's "hidden" would keep the dog from sticking to the top.
CSS = """
.gradio-container { overflow: clip !important; }
.dark .pad input[type="range"] { color-scheme: dark; accent-color: #ffa366 !important; }
.dark .pad #message.problem { color: #ffb4ab; }
"""
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]  # the visitor's own: nothing to fetch
INTRO = "# DogVAE\nEvery dog here is drawn from **256 numbers**. Move a slider and watch; or upload your own dog."
PRIVACY = "Your photo is not kept: it is deleted once it has been read, and files that programs send within the hour."
LIMITS = (
    "What it can't do: fine fur, collars and toys, several dogs, whole bodies. It knows heads that fill the frame, "
    "and draws one even where your photo shows none."
)


def open_weights(name: str | None) -> tuple[Studio, str]:
    """The model to serve, and a sentence on which one it is and why."""
    embedded = str(HERE / "weights" / "dogvae")
    if not name:
        return Studio(load(embedded)), "embedded weights"
    try:
        vae = load(name)
        return Studio(vae), f"weights from {vae.source}"
    except ValueError as error:  # WeightsError, or weights without latents
        return Studio(load(embedded)), f"embedded weights, because: {error}"


def build_app() -> gr.Blocks:
    studio, which = open_weights(os.environ.get("WEIGHTS"))
    studios = {name: Studio(load(HERE / "weights" / name)) for name in ("autoencoder", "classic")}
    studios["dogvae"] = studio
    worker = Worker()
    examples = sorted((HERE / "assets").glob("dog-*.png"))
    # Files that API clients upload live in Gradio's cache: looked for every 10 minutes, deleted at the age of 50.
    with gr.Blocks(title=TITLE, delete_cache=(600, 3000)) as app:
        gr.Markdown(INTRO)
        with gr.Tabs():
            with gr.Tab("Draw a dog"):
                build_pad(studio, worker, examples)
            with gr.Tab("How it works"):
                build_lesson(studios, worker, examples[0])
        gr.Markdown(f"{PRIVACY}\n\n{LIMITS}\n\nRunning on {which} `{studio.vae.weights_id}`.", elem_id="footnotes")
        build_api(studio, worker)
    return app.queue(max_size=64)


def main() -> None:
    build_app().launch(
        server_name=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        server_port=int(os.environ.get("PORT") or os.environ.get("GRADIO_SERVER_PORT") or 7860),
        allowed_paths=[str(HERE / "assets")],
        max_file_size="25mb",
        ssr_mode=False,
        run_history=False,
        footer_links=["api"],
        css=CSS,
        theme=gr.themes.Default(primary_hue="orange", font=FONTS, font_mono=["ui-monospace", "monospace"]),
    )


if __name__ == "__main__":
    main()
