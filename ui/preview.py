"""What others see of a link before they follow it: tags in the page's head, and a picture of the link's dog.

A link is the page's address with ?dog= and what ui/web/math.js writes (`seedLink`, `dogLink`).
"""

import base64
import html
import re

import numpy as np
from gradio.route_utils import get_root_url
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from torch import Tensor

from . import film
from .head import Head
from .studio import LatentError, Studio, jpeg
from .worker import Busy, Worker

SIDE = 512  # pixels
UNIT = 1 / 2000  # of a coordinate, as in ui/web/math.js
LINK = re.compile(r"([0-9a-f]{12})\.(?:s(\d{1,16})t([\d.]{1,6})|z([\w-]{1,4000}))", re.ASCII)
GRADIOS = re.compile(rb'<meta\s+(?:property="og:|name="(?:twitter:|description"))[^>]*>\s*')
START = b'<meta charset="utf-8" />'
TITLE = "DogVAE: draw a dog, or change your own"
ABOUT = "Every dog here is drawn by a small neural network. Upload your own dog, move a slider, and watch."
ALT = "The head of a dog, drawn by DogVAE"


class Previews:
    """The picture of a link's dog."""

    def __init__(self, studio: Studio, worker: Worker, first_seed: int):
        """first_seed: of the dog that stands for the page itself."""
        self.studio, self.worker, self.first_seed = studio, worker, first_seed
        self.route = Route("/preview.jpg", self.answer)

    async def answer(self, request: Request) -> Response:
        try:
            picture = await self.worker.run(self.draw, request.query_params.get("dog"))
        except LatentError as error:
            return PlainTextResponse(str(error), 404)
        except Busy as error:
            return PlainTextResponse(str(error), 503, headers={"Retry-After": "5"})
        return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "public, max-age=86400"})

    def draw(self, link: str | None) -> bytes:
        """The JPEG of a link's dog, without one of the first dog. Raises LatentError."""
        z = self.studio.random(self.first_seed, 1.0) if link is None else self.dog(link)
        return jpeg(film.enlarged(self.studio.draw(z[None]), SIDE)[0])

    def dog(self, link: str) -> Tensor:
        """The latent [D]. Raises LatentError."""
        parts = LINK.fullmatch(link)
        if not parts or parts[1] != self.studio.vae.weights_id:
            raise LatentError("The link tells no dog of this model.")
        try:
            if parts[2]:
                return self.studio.random(int(parts[2]), float(parts[3]))
            text = parts[4]
            c = np.frombuffer(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), dtype="<i2") * UNIT
        except ValueError as error:  # of float and base64; LatentError is one, too
            raise LatentError("The link is broken, perhaps cut off.") from error
        return self.studio.at(self.studio.numbers(c.tolist(), most=2**15 * UNIT)[None])[0]


class Tags(Head):
    """Puts our tags first into the page's head, and leaves out Gradio's, which are about Gradio."""

    def __init__(self, app: ASGIApp, weights: str):
        super().__init__(app)
        self.weights = weights

    def changed(self, body: bytes, request: Request) -> bytes:
        if START not in body:
            return body
        return GRADIOS.sub(b"", body).replace(START, START + self.tags(request), 1)

    def tags(self, request: Request) -> bytes:
        root = get_root_url(request, "/", request.scope.get("root_path"))
        dog = QueryParams(request.scope["query_string"]).get("dog", "")
        told = LINK.fullmatch(dog)
        query = f"?dog={dog}" if told and told[1] == self.weights else ""
        named = {"description": ABOUT, "twitter:card": "summary"}
        about = {
            "og:title": "A dog by DogVAE" if query else TITLE,
            "og:type": "website",
            "og:url": f"{root}/{query}",
            "og:description": ABOUT,
            "og:image": f"{root}/preview.jpg{query}",
            "og:image:type": "image/jpeg",
            "og:image:width": str(SIDE),
            "og:image:height": str(SIDE),
            "og:image:alt": ALT,
        }
        tags = [f'<meta name="{key}" content="{html.escape(value)}">' for key, value in named.items()]
        tags += [f'<meta property="{key}" content="{html.escape(value)}">' for key, value in about.items()]
        return "".join(tags).encode()
