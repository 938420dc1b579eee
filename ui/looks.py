"""Sliders by name, for the page: Looks and breeds, and which breeds the classifier sees in a dog.

Weights without looks.safetensors and breeds.safetensors (training.looks writes them) have neither.
"""

import gradio as gr
import torch
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from torch import Tensor

from model.finder import DogFinder
from model.latents import SEEN_AT, Moves

from .explore import THUMBNAIL
from .facts import LookFacts
from .protocol import Answer, PageQuestion, Q, RequestError, read
from .studio import MAX_COORDINATE, MAX_LATENT, Studio
from .worker import Busy, Worker, thumbnail

FIRST = 3  # breeds that are told of a dog
LEAST = 0.05  # share from which on a further breed is told
NO_BREEDS = "These weights have no breeds; run python -m training.looks on them."
_BREED = "A breed has a name of at most 64 characters."


class Toward(PageQuestion):
    breed: str = Field(max_length=64, description=_BREED)


class SeeBreeds(PageQuestion):
    dog: list = Field(description="A dog is a list of coordinates along the directions.")


class Way(Answer):
    """A slider's way, in coordinates along the directions: the dog stands at c . reading + level; one unit further is
    c + kept, or c + free where the background need not stay."""

    reading: list[float]
    level: float
    kept: list[float]
    free: list[float]


class Ways(Answer):
    ways: list[Way]


class SeenBreed(BaseModel):
    """share: 0 to 1, of all breeds that the classifier knows."""

    breed: str
    share: float


class SeenBreeds(Answer):
    breeds: list[SeenBreed]


class Sight:
    """Lite0's classifier of breeds on the trunk that the finder has, too. In the worker's thread."""

    def __init__(self, studio: Studio):
        self.breeds, self.finder = studio.vae.breeds, studio.finder or DogFinder()

    @torch.inference_mode()
    def shares(self, x: Tensor) -> Tensor:
        """Pictures [B, 3, S, S] in [-1, 1] -> the share of each breed [B, 118]; those of one picture add up to 1."""
        assert self.breeds is not None
        return self.breeds.logits(self.finder.features(x, SEEN_AT)[-1]).softmax(1)


class Named:
    """Answers the sliders by name."""

    def __init__(self, studio: Studio, worker: Worker):
        self.studio, self.worker, self.looks, self.breeds = studio, worker, studio.vae.looks, studio.vae.breeds
        self.sight = Sight(studio) if self.breeds else None
        self.look_ways = [self.way(self.looks, k) for k in range(len(self.looks.names))] if self.looks else []
        self.thumbnails: dict[int, bytes] = {}
        self.route = Route("/breeds/{weights}/{breed}.webp", self.thumbnail)

    def look_facts(self) -> list[LookFacts]:
        if self.looks is None:
            return []
        words = zip(self.looks.names, self.looks.ends)
        return [LookFacts(name=name, low=low, high=high) for name, (low, high) in words]

    def breed_names(self) -> list[str]:
        return self.breeds.names if self.breeds else []

    # ---- What the page calls. Raises RequestError, LatentError, Busy, Gone.

    async def ways(self, data: object, request: gr.Request | None = None) -> dict:
        """Of all Looks."""
        self.read(PageQuestion, data)
        return Ways(ways=self.look_ways).to_json()

    async def toward(self, data: object, request: gr.Request | None = None) -> dict:
        """Of one breed."""
        breed = self.read(Toward, data).breed
        return (await self.worker.run(self.way_to, breed, request=request)).to_json()

    async def see_breeds(self, data: object, request: gr.Request | None = None) -> dict:
        """What breeds are seen in a dog that rests, the likeliest first."""
        dog = self.read(SeeBreeds, data).dog
        return SeenBreeds(breeds=await self.worker.run(self.see, dog, request=request)).to_json()

    async def thumbnail(self, request: Request) -> Response:
        """A breed's example, drawn when it is first asked for."""
        places = {str(k): k for k in range(len(self.breed_names()))}
        weights, breed = request.path_params["weights"], request.path_params["breed"]
        if weights != self.studio.vae.weights_id or breed not in places:
            return PlainTextResponse("There is no such breed; please reload the page.", 404)
        try:
            file = await self.worker.run(self.example, places[breed])
        except Busy as error:
            return PlainTextResponse(str(error), 503)
        forever = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(file, media_type="image/webp", headers=forever)

    # ---- How it is answered, in the worker's thread but for `read`

    def read(self, question: type[Q], data: object) -> Q:
        return read(question, data, self.studio.vae.weights_id, self.studio.dim)

    def way_to(self, breed: str) -> Way:
        """Raises RequestError for a breed that is not there."""
        if self.breeds is None:
            raise RequestError(NO_BREEDS)
        if breed not in self.breeds.names:
            raise RequestError(f"This model knows no breed {breed}; it knows {len(self.breeds.names)} others.")
        return self.way(self.breeds, self.breeds.names.index(breed))

    def way(self, moves: Moves, k: int) -> Way:
        basis = self.studio.latents
        reading = basis.directions @ moves.readings[k] * basis.sd
        kept, free = (one[k] @ basis.directions.T / basis.sd for one in (moves.kept, moves.free))
        level = moves.levels[k] + basis.mean @ moves.readings[k]
        lists = {"reading": reading, "kept": kept, "free": free}
        return Way(level=round(level.item(), 4), **{key: rounded(values) for key, values in lists.items()})

    def moved(self, z: Tensor, name: str, by: float) -> Tensor:
        """Latents [B, D] moved along a Look, or toward a breed. Raises RequestError for one that is not there."""
        for moves in (self.looks, self.breeds):
            if moves and name in moves.names:
                return moves.move(z, name, by).clamp(-MAX_LATENT, MAX_LATENT)
        looks = self.looks.names if self.looks else []
        known = f"Looks ({', '.join(looks)}) and {len(self.breed_names())} breeds" if looks else "no Looks"
        raise RequestError(f"This model has no Look or breed {name!r}; it has {known}.")

    def see(self, dog: list) -> list[SeenBreed]:
        if self.sight is None:
            raise RequestError(NO_BREEDS)
        z = self.studio.at(self.studio.numbers(dog, most=MAX_COORDINATE)[None])
        return self.told(z, FIRST)

    def told(self, z: Tensor, most: int) -> list[SeenBreed]:
        """The likeliest breeds in the picture of a latent [1, D]: the first, and others that are worth telling."""
        assert self.sight is not None
        shares = self.sight.shares(self.studio.decode(z).cpu())[0]
        values, places = shares.topk(most)
        pairs = zip(values.tolist(), places.tolist())
        return [
            SeenBreed(breed=self.breed_names()[place], share=round(value, 3))
            for i, (value, place) in enumerate(pairs)
            if i == 0 or value >= LEAST
        ]

    def example(self, breed: int) -> bytes:
        if breed not in self.thumbnails:
            assert self.breeds is not None
            picture = self.studio.draw(self.breeds.examples[breed : breed + 1])[0]
            self.thumbnails[breed] = thumbnail(picture, THUMBNAIL)
        return self.thumbnails[breed]


def rounded(values: Tensor) -> list[float]:
    return [round(v, 4) for v in values.tolist()]
