"""What the lesson's page and the server say to each other (as in ui/protocol.py). Pictures are data: URLs."""

from typing import Any

from pydantic import Field

from ..protocol import Answer, Question, Whole

_SEED = "The seed is a whole number from 0 to 2147483647."


class Seed(Question):
    seed: Whole = Field(ge=0, lt=2**31, description=_SEED)


class Point(Question):
    """A point that is dragged in a room. z: its latent."""

    room: str = Field(max_length=64, description="There is no such room.")
    z: Any = Field(None, description="A point is a list of numbers.")


class Kept(Answer):
    """kept: how many numbers. psnr: dB."""

    kept: int
    picture: str
    psnr: float


class Squeezed(Answer):
    """size: pixels a side of what was squeezed. steps: by rising count of numbers."""

    crop: str
    size: int
    steps: list[Kept]


class RoomSeen(Answer):
    """points: of real dogs. directions: two of D numbers. z: the visitor's dog. picture: its reconstruction."""

    name: str
    points: list[list[float]]
    directions: list[list[float]]
    z: list[float]
    picture: str


class Rooms(Answer):
    crop: str
    rooms: list[RoomSeen]


class Drawn(Answer):
    """points: where the same draws from the bell curve lie in a room. pictures: what is decoded there."""

    points: list[list[float]]
    pictures: list[str]


class Draws(Answer):
    rooms: list[Drawn]


class Priced(Answer):
    """price: of a nat of KL. likeness: dB, of held-out dogs. dogs: share of the random draws in which a dog is seen."""

    price: float
    likeness: float
    dogs: float
    points: list[list[float]]
    pictures: list[str]
    rebuilt: str


class Prices(Answer):
    """chosen, seed: which of the models has the good price, and which that of the first version."""

    crop: str
    chosen: int
    seed: int
    models: list[Priced]


class Mean(Answer):
    """The mean of so many sharp pictures."""

    count: int
    picture: str


class Hair(Answer):
    """by_pixels: what the network makes of the dog that was judged pixel by pixel. means: by rising count."""

    crop: str
    by_pixels: str
    means: list[Mean]


class Stage(Answer):
    """images: that the GAN had seen."""

    images: int
    pictures: list[str]


class Gan(Answer):
    """losses: [images, generator's, critic's] along the run."""

    stages: list[Stage]
    losses: list[list[float]]


class Row(Answer):
    """Random draws of a model at a price, from the bell curve and from what was fitted to its latents."""

    price: float
    bell: list[str]
    fitted: list[str]


class Fitted(Answer):
    rows: list[Row]


class Moved(Answer):
    picture: str
