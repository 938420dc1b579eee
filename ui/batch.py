"""Many dogs at once, without holding up the live moves of other visitors."""

import asyncio
import logging
from collections.abc import Callable

import gradio as gr
from gradio.context import LocalContext
from PIL import Image
from torch import Tensor

from .studio import Studio
from .worker import Worker

PIECE = 8  # pictures that are drawn in one turn of the inference thread
WORTH_A_LOAN = 16  # pictures: for fewer no GPU is asked for on a ZeroGPU Space

log = logging.getLogger("dogvae")


async def draw_many(
    studio: Studio,
    worker: Worker,
    z: Tensor,
    request: gr.Request | None = None,
    tell: Callable[[float], object] = lambda share: None,
) -> list[Image.Image]:
    """Latents [N, D] -> N pictures, in pieces; tell(share) is called after each.

    On a ZeroGPU Space all at once on the GPU that is lent; on the CPU where none is to be had.
    Raises Busy, and Gone if the page of the request is closed.
    """
    if studio.lent and len(z) >= WORTH_A_LOAN:
        if request is not None:
            LocalContext.request.set(request)  # `spaces` reads from it whose quota it is; for API calls Gradio sets it
        try:
            # In a thread of its own, for it may wait. It gets this context.
            return await asyncio.to_thread(studio.draw, z, studio.lent)
        except Exception as error:  # spaces raises gr.Error and others
            log.warning("no GPU was lent (%s): drawn on the CPU", error)
    drawn = []
    for piece in z.split(PIECE):
        drawn += await worker.run(studio.draw, piece, request=request)
        tell(len(drawn) / len(z))
    return drawn
