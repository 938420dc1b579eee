"""The page's frame: gr.Blocks and its routes, of which each failure is told in one sentence.

Of errors that are no gr.Error Gradio tells a program nothing ({"error": null}), or "Internal Server Error".
"""

import inspect
import logging

import gradio as gr
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio.route_utils import FnIndexInferError
from starlette.routing import BaseRoute

from .protocol import KIND, RequestError
from .worker import in_words

NO_FILE = "The photo could not be had: upload it first, or give the address of a picture that anyone may see."
NO_SUCH_REQUEST = "The server does not know such a request; /gradio_api/info tells what there is, and what it takes."
NO_ARGUMENTS = 'An endpoint takes JSON like {"data": [7, 1.0, 2]}: its arguments, in their order.'
NO_UPLOAD = 'An upload takes files, each with a name, in fields that are called "files".'

log = logging.getLogger("dogvae")


class Page(gr.Blocks):
    """gr.Blocks whose named endpoints answer whatever they can't do with a gr.Error of one sentence.

    own_routes: what the same server answers beside Gradio; `launch` is to be given them. weights: the id of those that
    draw its dogs.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.own_routes: list[BaseRoute] = []
        self.weights = ""

    async def process_api(self, *args, **kwargs):
        try:
            return await super().process_api(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(in_words(error), print_exception=False) from None

    async def preprocess_data(self, block_fn, inputs: list, *args, **kwargs):
        """What a program sent, as the endpoint takes it. Raises RequestError."""
        wanted = inspect.signature(block_fn.fn).parameters
        defaults = [p.default for p in list(wanted.values())[len(inputs) :]]
        if len(inputs) > len(wanted) or inspect.Parameter.empty in defaults:
            values = "1 value" if len(wanted) == 1 else f"{len(wanted)} values"
            raise RequestError(f"/{block_fn.api_name} takes {values} ({', '.join(wanted)}); {len(inputs)} came.")
        try:
            return await super().preprocess_data(block_fn, [*inputs, *defaults], *args, **kwargs)
        except gr.Error:
            raise
        except Exception:  # a file that was never uploaded, an address that must not be asked, a list for a number ...
            takes_file = any(isinstance(component, gr.File) for component in block_fn.inputs)
            raise RequestError(NO_FILE if takes_file else KIND) from None


async def not_understood(request: Request, error: Exception) -> JSONResponse:
    """A request that Gradio's own routes stumble over: an endpoint that isn't there, an upload without a file ..."""
    path = request.url.path
    if path.rstrip("/").endswith("/upload"):
        return told(NO_UPLOAD, 400)
    if isinstance(error, RequestValidationError):
        return told(NO_ARGUMENTS if "/call/" in path else NO_SUCH_REQUEST, 422)
    log.warning("not understood: %s: %r", path, error)
    return told(NO_SUCH_REQUEST, 400)


async def went_wrong(request: Request, error: Exception) -> JSONResponse:
    return told(in_words(error), 500)


def told(sentence: str, status: int) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)


STUMBLES = (RequestValidationError, FnIndexInferError, LookupError, TypeError, AttributeError, ValueError)
HANDLERS = {kind: not_understood for kind in STUMBLES} | {Exception: went_wrong}
