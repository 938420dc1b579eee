"""One thread does all inference, and whatever goes wrong becomes a sentence."""

import asyncio
import base64
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from model.images import PhotoError
from model.studio import LatentError, jpeg, png

MAX_WAITING = 32  # requests, each with up to 25 MB; a page has at most four on the way

log = logging.getLogger("dogvae")


class Busy(RuntimeError):
    """Too many requests are waiting."""


class Worker:
    """Runs functions one after the other. Many callers of torch at once would fight over the same cores."""

    def __init__(self):
        self.pool = ThreadPoolExecutor(1, "inference")
        self.waiting = 0

    async def run(self, function: Callable, *args):
        """The result of function(*args). Raises Busy at once where too many wait."""
        if self.waiting >= MAX_WAITING:
            raise Busy("Many visitors are drawing dogs just now; please try again in a moment.")
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.pool, function, *args)
        finally:
            self.waiting -= 1

    async def answer(self, function: Callable, *args) -> dict:
        """As `run`, for the page: what went wrong comes back as {"error": sentence}."""
        try:
            return await self.run(function, *args)
        except (PhotoError, LatentError) as error:
            return {"error": str(error)}
        except Busy as error:
            return {"error": str(error), "busy": True}  # the page asks again
        except Exception:
            log.exception("a request of the page failed")
            return {"error": "Something went wrong on the server; please try again."}


def data_url(picture: Image.Image, still: bool = True) -> str:
    """A lossless PNG for a picture that stays, a small JPEG for one that is replaced in a moment."""
    data, kind = (png(picture), "png") if still else (jpeg(picture), "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
