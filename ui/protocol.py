"""What the page and its server say to each other: each message is a model.

`read` turns what came over the network into a model. Where a value is wrong, the asker gets the description of its
field, which therefore is one plain sentence. How many numbers a dog has depends on the weights, so lists of numbers are
checked by `Studio.numbers`.
"""

import base64
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic import ValidationInfo as Info

from model.errors import PlainError

from .studio import MAX_COORDINATE

MAX_THUMBNAILS, MAX_SHEET, MAX_FRAMES, MAX_SIDE = 32, 64, 60, 1024
MAX_WISH, MAX_CROP = 1000, 1_000_000  # characters

SWAPPED = "The model behind this page has been changed; reload the page to draw with the new one."
KIND = "Some of what was sent is not of the kind that this endpoint takes."
_NUMBERS = "The seed and the temperature are numbers."
_LOCKED = "What is locked are directions of the model, each with its value."
_FILM = f"A film is a gif or an mp4 of 2 to {MAX_FRAMES} frames."
_SIDE = f"A picture is saved at up to {MAX_SIDE} pixels a side; 0 is the size at which it is drawn."
_LANDMARKS = "Eyes and nose do not lie in the photo; please put each in its place."
_BOX = "The box does not lie in the photo; please draw it again."


class RequestError(PlainError):
    """A request can't be answered as it is; its text is one plain sentence for the person who asked."""


def _whole(value: object) -> object:
    """JSON has one kind of number, so 7.0 counts as whole."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _upright(box: tuple) -> tuple:
    if not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError("a corner lies on the wrong side of the other")
    return box


Whole = Annotated[int, BeforeValidator(_whole)]
Share = Annotated[float, Field(ge=0, le=1)]
NearPhoto = Annotated[float, Field(ge=-2, le=3)]  # in widths or heights of the photo, beyond which a box may reach
NearPoint = tuple[NearPhoto, NearPhoto]
Coordinate = Annotated[float, Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
Dogs = Annotated[list, Field(min_length=1)]  # lists of coordinates along the directions
Listed = Field(strict=False)  # a tuple comes as a list over the network
Side = Annotated[Whole, Field(ge=0, le=MAX_SIDE)]  # pixels; 0: as large as the model draws


class Question(BaseModel):
    """Strict: neither true nor "7" is taken for a number. Unknown fields are dropped."""

    model_config = ConfigDict(strict=True, frozen=True)


Q = TypeVar("Q", bound=Question)


def read(question: type[Q], data: object, weights: str | None = None, dim: int = 0) -> Q:
    """A question as it came from the network: a dict, or anything that a stranger sent instead.

    weights, dim: the id of the weights that are served, and how many numbers a dog of theirs has.
    Raises RequestError with the description of the first field that is wrong.
    """
    try:
        context = {"weights": weights, "dim": dim}
        return question.model_validate(data if isinstance(data, dict) else {}, context=context)
    except ValidationError as error:
        field = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"][0]
        assert isinstance(field, str)  # a question is no list
        raise RequestError(question.model_fields[field].description) from None


def _told(info: Info) -> dict[str, Any]:
    """What `read` says beside the data."""
    return info.context or {}


# ---- What the page asks


class PageQuestion(Question):
    """weights: those that the page was made for, or nothing."""

    weights: str | None = Field(None, description=SWAPPED)

    @field_validator("weights")
    @classmethod
    def _are_served(cls, weights: str | None, info: Info) -> str | None:
        if weights not in (None, _told(info)["weights"]):
            raise ValueError("other weights")
        return weights


class Random(PageQuestion):
    """keep: of locked sliders, which direction and at what value."""

    temperature: float = Field(description=_NUMBERS)
    keep: list[Annotated[tuple[Whole, Coordinate], Listed]] | None = Field(None, description=_LOCKED)

    @field_validator("keep")
    @classmethod
    def _are_directions(cls, keep: list | None, info: Info) -> list | None:
        if not all(0 <= index < _told(info)["dim"] for index, _ in keep or []):
            raise ValueError("no such direction")
        return keep


class Draw(Random):
    seed: Whole = Field(description=_NUMBERS)


class Turn(Question):
    """Which page's move, and its number: each page counts its moves."""

    page: str = Field(max_length=64, description="A page has a name of at most 64 characters.")
    number: int = Field(description="A page numbers its moves.")


class Move(PageQuestion):
    """The dog's numbers after a slider, or a point on the map, was moved.

    space: what `values` are: coordinates along the directions, the raw latent, or [x, y] on the map.
    still: the dog rests, so a lossless picture and its numbers are wanted. half: one of half the size will do.
    """

    space: Literal["directions", "raw", "map"] = Field(
        "directions", description="A dog is moved along directions, by its raw numbers, or on the map."
    )
    values: Any = None
    still: bool = Field(False, description="A dog rests, or it does not.")
    half: bool = Field(False, description="A picture is of half the size, or it is not.")


class Place(Question):
    at: Annotated[tuple[Share, Share], Listed] = Field(description="A place on the map is two numbers from 0 to 1.")


class Thumbnails(PageQuestion):
    large: bool = Field(False, description="Thumbnails are large, or they are not.")
    dogs: Dogs = Field(max_length=MAX_THUMBNAILS, description=f"This takes a list of 1 to {MAX_THUMBNAILS} dogs.")


class Enlarged(PageQuestion):
    latent: Any = Field(None, description="A picture that is to be saved is that of a latent.")
    side: Side = Field(description=_SIDE)


class ContactSheet(PageQuestion):
    dogs: Dogs = Field(max_length=MAX_SHEET, description=f"This takes a list of 1 to {MAX_SHEET} dogs.")


class Movie(PageQuestion):
    kind: Literal["gif", "mp4"] = Field(description=_FILM)
    frames: int = Field(ge=2, le=MAX_FRAMES, description=_FILM)
    side: Side = Field(0, description=_SIDE)
    name: str = Field(max_length=64, description="A film has a name, by which its page asks how far it is.")
    dogs: list = Field(min_length=2, max_length=2, description="A film leads from one dog to another.")


class Approach(PageQuestion):
    """The dog in a photo nearer to it. crop: of the photo, as the page was sent it (`Seen`), to begin; without it the
    descent that the page has begun goes on."""

    page: str = Field(max_length=64, description="A page has a name of at most 64 characters.")
    crop: str | None = Field(None, max_length=MAX_CROP, description="A crop is a picture in a data: URL.")


class Wish(Question):
    """How an uploaded photo is to be seen.

    turns: quarters clockwise, 0 to 3. At most one of the others says which square is taken.
    box: of a head, drawn by hand: x0, y0, x1, y1 as shares of the turned photo's width and height.
    landmarks: eye, eye and nose, set by hand: x, y of each, in the same shares.
    whole: no head is looked for, and the middle square is taken.
    """

    turns: Annotated[int, AfterValidator(lambda turns: turns % 4)] = 0
    box: Annotated[tuple[NearPhoto, NearPhoto, NearPhoto, NearPhoto], AfterValidator(_upright)] | None = None
    landmarks: tuple[NearPoint, NearPoint, NearPoint] | None = None
    whole: bool = False

    @classmethod
    def of(cls, upload: object) -> "Wish":
        """From the field "wish" of a binary call, which is JSON; without one, no wish. Raises RequestError."""
        fields = getattr(upload, "data", None)
        text = str(fields.get("wish", "{}")) if isinstance(fields, dict) else "{}"
        try:
            return cls.model_validate_json(text[:MAX_WISH])
        except ValidationError as error:
            of_landmarks = any(part["loc"][:1] == ("landmarks",) for part in error.errors())
            raise RequestError(_LANDMARKS if of_landmarks else _BOX) from None


# ---- What the server answers the page. Pictures are data: URLs.


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def to_json(self) -> dict:
        return self.model_dump(exclude_none=True)


class Problem(Answer):
    """error: one sentence for the visitor. busy: the page should ask again in a moment."""

    error: str
    busy: Literal[True] | None = None


class Dropped(Answer):
    """A newer move has replaced this one, or its page is gone."""

    dropped: Literal[True] = True


class Latent(Answer):
    """A dog as it is stored and sent. weights: whose numbers these are."""

    format: Literal[1] = 1
    weights: str
    z: list[float]


class Numbers(Answer):
    """A dog's numbers, raw and along the directions."""

    latent: Latent
    c: list[float]


class Dog(Numbers):
    """All that the page keeps of a dog that rests."""

    picture: str


class Moved(Answer):
    """type: of the picture, a file. latent and c: of a dog that rests. took: milliseconds that the move was at the
    server; of these, what decoding the batch that it was in took, and encoding its picture."""

    picture: bytes
    type: Literal["image/jpeg", "image/png"]
    latent: Latent | None = None
    c: list[float] | None = None
    took: float | None = None
    decoding: float
    encoding: float

    def to_json(self) -> dict:
        values = self.model_dump(exclude_none=True)
        return values | {"picture": f"data:{values.pop('type')};base64,{base64.b64encode(self.picture).decode()}"}


class Nearer(Dog):
    """A photo's dog some steps nearer to the photo. steps: that were taken. share: of the way, 0 to 1. psnr: dB."""

    steps: int
    share: float
    psnr: float


class HeadFound(Answer):
    """box, landmarks: as in `Wish`. score: 0 to 1, how sure the finder is."""

    box: list[float]
    score: float
    landmarks: list[list[float]] | None = None


class Seen(Answer):
    """A photo, small and turned as wished, and the dog in it.

    ratio: its width by its height. size: both, in pixels of the photo as it was read. box: the head that was taken.
    place: the square that was cut, as `Crop.to_json` gives it, in those pixels. landmarks: where its eyes and nose are,
    for a model that learned heads by the eyes. sure: 0 to 1. hint: a word to the visitor. psnr: dB. percentile: 0 to
    100, the share of the training dogs that are nearer to the mean dog. nearer: seconds that it would take to bring the
    dog nearer to the photo. Without a head there is no dog, but an error and perhaps a guess.
    """

    photo: str
    ratio: float
    turns: int
    heads: list[HeadFound]
    guess: HeadFound | None = None
    error: str | None = None
    size: list[int]
    box: list[float] | None = None
    place: dict | None = None
    landmarks: list[list[float]] | None = None
    sure: float | None = None
    hint: str | None = None
    crop: str | None = None
    psnr: float | None = None
    percentile: float | None = None
    nearer: float | None = None
    picture: str | None = None
    latent: Latent | None = None
    c: list[float] | None = None


class Picture(Answer):
    picture: str


class Pictures(Answer):
    pictures: list[str]


class File(Answer):
    file: str


class Progress(Answer):
    """share: 0 to 1, of a film that is being made."""

    share: float
