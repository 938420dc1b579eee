"""A page of stock Gradio parts, to compare ours with: `python -m bench.stock PORT`."""

import sys

import gradio as gr

from model import load
from ui.studio import Studio

from .support.servers import ROOT


def stock_page(port: int) -> None:
    """Serves the same model with stock components: one slider, one picture."""
    studio = Studio(load(ROOT / "weights" / "dogvae"))
    start = studio.latents.coordinates(studio.sample(1, 1.0, 27))

    def draw(value: float):
        c = start.clone()
        c[0, 0] = value
        return studio.draw(studio.latents.from_coordinates(c))[0]

    with gr.Blocks() as page:
        slider = gr.Slider(-3, 3, value=0, step=0.01, elem_id="direction")
        picture = gr.Image(draw(0), format="jpeg", elem_id="picture")
        slider.input(draw, slider, picture, show_progress="hidden", trigger_mode="always_last")
    page.launch(server_name="127.0.0.1", server_port=port)


if __name__ == "__main__":
    stock_page(int(sys.argv[1]))
