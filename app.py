"""Starts DogVAE's page, by `make app` or as a Hugging Face Space.

Environment: WEIGHTS, a folder or user/name[@revision] (default: the embedded weights); PORT or
GRADIO_SERVER_PORT (default 7860); GRADIO_ROOT_PATH, if a proxy serves the page under a sub-path. The Hub's
client reads HF_TOKEN, HF_HOME and HF_ENDPOINT.
"""

import importlib.util
import os
import sys
from pathlib import Path

import hub
from ui import surroundings

# How long torch's threads (libgomp) wait for each other in a busy loop before they sleep: about as long as a layer
# takes. The default is many times longer; meanwhile other programs, such as the visitor's browser, lack that core.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

ADDRESS = surroundings.prepare() if __name__ == "__main__" else None  # before the slow imports

WEIGHTS = os.environ.get("WEIGHTS", "")
ASKED = hub.look_up(WEIGHTS)  # the Hub answers while torch and gradio are imported
if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # noqa: F401  must come before torch, which it patches (ui/zerogpu.py)

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.gzip import GZipMiddleware

from model import DogFinder, DogVAE, load
from model.errors import PlainError
from model.photos import MAX_BYTES
from ui.api import build_api
from ui.channel import Channel
from ui.lesson import build_lesson
from ui.pad import FIRST_SEED, Pad, build_pad
from ui.page import HANDLERS, Page
from ui.preview import Previews, Tags
from ui.scripts import ROUTE, Preloads
from ui.studio import Studio
from ui.worker import Worker
from ui.zerogpu import lent_decoder

HERE = Path(__file__).parent
MAX_BODY = MAX_BYTES + 2_000_000  # bytes of a request, which Gradio reads into memory: a photo and its form fields
TITLE = "DogVAE: draw a dog from 256 numbers"
# Rules that a component's own scoped CSS can't hold. `overflow: clip` replaces Gradio's `hidden`, with which the dog
# would not stick to the top of the window.
CSS = """
.gradio-container { overflow: clip !important; }
.gradio-container > .main {
  max-width: 1900px !important; margin: 0 auto !important; padding: 12px clamp(12px, 2.5vw, 36px) !important;
}
main > .wrap > .column, main > .column { gap: 8px; }
#pad .html-container { padding: 2px 0 10px; }
main .tabs { gap: 0; }
#intro .prose { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 18px; }
#intro h1, #intro p { margin: 0; }
@media (max-width: 760px) {
  .gradio-container > .main { padding-top: 6px !important; }
  #intro h1 { font-size: 20px; }
  #intro p, footer { display: none !important; } /* of the footer Gradio leaves a lone dot */
}
.dark { --color-accent: #ffa366 !important; }
.dark .pad { --lit: #ffa366 !important; }
.dark .pad input[type="range"] { color-scheme: dark; accent-color: #ffa366 !important; }
.dark .pad #message.problem { color: #ffb4ab !important; }
"""
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]  # the visitor's own: no download
INTRO = "# DogVAE\nEvery dog here is drawn from **256 numbers**. Move a slider and watch; or upload your own dog."
PRIVACY = "Your photo is not kept: it is deleted once it has been read, and files that programs send within the hour."
LIMITS = (
    "What it can't do: each hair in its place (it paints likely ones), collars and toys, several dogs, "
    "whole bodies. It knows heads that fill the frame, which it looks for in your photo; what is no dog comes back "
    "as a smear, or as half a dog."
)


def open_weights(name: str) -> DogVAE:
    """The model to serve. Its `source` says which one it is. If it replaces the named one, it says why."""
    reason = ""
    if name:
        try:
            return load(name, asked=ASKED)
        except ValueError as error:  # WeightsError
            reason = f", because: {error}"
    vae = load(str(HERE / "weights" / "dogvae"))
    vae.source = f"embedded weights{reason.removesuffix('.')}"
    return vae


def build_app() -> Page:
    # All tensors are made in the worker's thread. Each thread that calls torch gets its own team of threads. If these
    # outnumber the cores, all sleep between any two layers: a decode took 27 ms instead of 15.
    worker = Worker()
    if os.environ.get("SPACES_ZERO_GPU"):
        return build_page(worker)  # `spaces` patches torch only in the thread that imported it
    return worker.pool.submit(build_page, worker).result()


def build_page(worker: Worker) -> Page:
    vae = open_weights(WEIGHTS)
    studio = Studio(vae, DogFinder(), lent_decoder(vae))
    pad = Pad(studio, worker)
    examples = sorted((HERE / "assets").glob("dog-*.png"))
    # Gradio caches the files that API clients upload. Every 10 minutes it deletes those older than 50 minutes.
    with Page(title=TITLE, delete_cache=(600, 3000), fill_width=True) as app:
        gr.Markdown(INTRO, elem_id="intro")
        with gr.Tabs():
            with gr.Tab("Draw a dog"):
                build_pad(pad, examples)
            with gr.Tab("How it works"):
                build_lesson(studio, worker, examples[0])
        running = f"Running on {studio.vae.source}: `{studio.vae.weights_id}`."
        gr.Markdown(f"{PRIVACY}\n\n{LIMITS}\n\n{running}", elem_id="footnotes")
        build_api(studio, worker, pad.descents, pad.named)
    previews = Previews(studio, worker, FIRST_SEED)
    app.own_routes += [ROUTE, Channel(pad).route, previews.route, pad.named.route]
    app.weights = studio.vae.weights_id
    app.queue(max_size=64)
    return app


class Zipped(GZipMiddleware):
    """Compresses the page itself and its scripts. Gradio compresses the other answers that are worth it."""

    async def __call__(self, scope, receive, send):
        whole = scope["type"] == "http" and (scope["path"] in ("/", "/config") or "/web/" in scope["path"])
        await (super().__call__ if whole else self.app)(scope, receive, send)


def theme() -> gr.themes.Base:
    """Gradio's theme with darker tabs and footer: its own are too pale on white (WCAG asks for a contrast of 4.5)."""
    default = gr.themes.Default(primary_hue="orange", font=FONTS, font_mono=["ui-monospace", "monospace"])
    return default.set(color_accent="*primary_700", body_text_color_subdued="*neutral_500")


def main() -> None:
    host, port = ADDRESS or surroundings.prepare()
    try:
        app = build_app()
    except PlainError as error:  # the embedded weights, or the finder's, are damaged
        sys.exit(str(error))
    options = launch_options(app)
    try:
        app.launch(server_name=host, server_port=port, **options)
    except OSError:  # the port was taken while the weights loaded, or the machine was too busy to answer
        sys.exit(surroundings.blocked(host, port) or f"The page could not be served at {host}:{port}; start it again.")


def launch_options(app: Page) -> dict:
    return dict(
        allowed_paths=[str(HERE / "assets")],
        max_file_size=f"{MAX_BYTES // 10**6}mb",
        ssr_mode=False,
        mcp_server=importlib.util.find_spec("mcp") is not None,  # gradio[mcp] makes the endpoints MCP tools too
        app_kwargs={
            "routes": app.own_routes,
            "middleware": [
                Middleware(RequestBodyLimitMiddleware, MAX_BODY),
                Middleware(Zipped),
                Middleware(Preloads),
                Middleware(Tags, app.weights),
            ],
            "exception_handlers": HANDLERS,
        },
        state_session_capacity=100,  # sessions hold nothing, yet each takes 80 kB; Gradio would keep 10,000
        run_history=False,
        footer_links=["api"],
        css=CSS,
        theme=theme(),
    )


if __name__ == "__main__":
    main()
