"""What the server says once of its model, when the page is built."""

from pydantic import BaseModel

from .protocol import SWAPPED, Answer, Numbers


class First(Numbers):
    """The dog that the page opens with; its picture is in the HTML."""

    seed: int


class LookFacts(BaseModel):
    """A slider by name (ui/looks.py), and the words at both ends."""

    name: str
    low: str
    high: str


class Facts(Answer):
    """What the page knows from the start.

    swapped: the sentence to show where an answer is of other weights. names: of directions. share: percent of the whole
    effect, of each direction. raw_order: the raw numbers by falling use. examples: addresses of pictures. partner: the
    seed of the dog that there is to mix with at first. looks, breeds: what there are sliders of by name; may be empty.
    slopes, bends: what foretells of coordinates how well their dog comes out (model/latents/chosen.py); may be empty.
    """

    first: First
    weights: str
    swapped: str = SWAPPED
    names: list[str]
    share: list[float]
    raw_order: list[int]
    examples: list[str]
    partner: int
    looks: list[LookFacts]
    breeds: list[str]
    slopes: list[float]
    bends: list[float]
