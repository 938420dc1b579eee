"""The visitor's photo: where the heads are, which square is taken, and what the model makes of it.

The server keeps nothing: for another box or another turn the browser sends the same photo again. Boxes are
[x0, y0, x1, y1] as shares of the photo's width and height, after it was turned.
"""

from collections.abc import Callable

from PIL import Image

from model.crop import Box, Crop, Point
from model.finder import Head, by_eyes
from model.landmarks import Points, as_points
from model.photos import CUT_SHORT, PhotoError

from .protocol import Wish
from .studio import Sight, Studio
from .worker import data_url

SHOWN = 640  # pixels of the longer side of the photo as the page shows it
NO_DOG = "I found no dog's head in this photo: draw a box round it, turn the photo, or go on anyway."
ASIDE = (
    "I can't see both eyes and the nose: set them under Photo, Change the crop, or take a photo that looks into the "
    "camera."
)
# Of the photos of training/RESULTS.md with no dog in them, in which a head is found, 26 in 36 are below this score and
# their eyes are unsure; of those with a dog 12 in 249.
DOUBTFUL = 0.45
DOUBT = "I'm not sure that this is a dog's head; if it is, set its eyes and nose under Photo, Change the crop."


def see_photo(studio: Studio, upload: object) -> dict:
    """What the page shows of an upload (`protocol.Seen`). Raises PhotoError, RequestError.

    upload: a file and, in the field "wish", how it is to be seen (`Wish`).
    "z" is the dog; where no head was found there is none, but an "error" and perhaps a "guess".
    """
    wish = Wish.of(upload)
    sight = studio.look(photo_bytes(upload), wish.turns, _by_hand(studio, wish))
    size = sight.photo.size
    answer = {"turns": wish.turns, "heads": [_entry(head, size) for head in sight.heads]}
    answer |= {"photo": _thumbnail(sight.photo), "ratio": size[0] / size[1], "size": list(size)}
    if sight.crop is None:
        answer["guess"] = _entry(sight.guess, size) if sight.guess else None
        return answer | {"error": NO_DOG, "box": None}
    seen = studio.reconstruct(sight.photo, sight.crop)
    answer |= _taken(sight, sight.crop, studio.vae.config.frame)
    if sight.photo.info.get("cut_short"):
        answer["hint"] = f"{CUT_SHORT} {answer.get('hint', '')}".strip()
    answer |= {"crop": data_url(seen.crop), "psnr": round(seen.psnr, 1)}
    answer["percentile"] = round(100 * seen.percentile, 1)
    return answer | {"z": seen.z}


def _by_hand(studio: Studio, wish: Wish) -> Callable[[Image.Image], Head | Crop] | None:
    """Which head or square the visitor chose, as a function of the upright photo; None: the finder is to choose."""
    if wish.whole:
        return lambda photo: Crop.middle(photo.size)
    if points := wish.landmarks:
        return lambda photo: _face(as_points((x * photo.width, y * photo.height) for x, y in points))
    if box := wish.box:
        finder = studio.finder
        if finder is None or studio.vae.config.frame == "box":
            return lambda photo: Head(_in_pixels(box, photo.size), 1.0)
        return lambda photo: finder.head_in(photo, _in_pixels(box, photo.size))
    return None


def _face(points: Points) -> Head:
    """A head whose eyes and nose somebody has pointed at. Raises PhotoError where they are no face."""
    return Head(Crop.from_landmarks(points).head("eyes"), 1.0, points, 1.0)


def _taken(sight: Sight, crop: Crop, frame: str) -> dict:
    """Which square was taken, and of which head."""
    head, size = sight.head, sight.photo.size
    answer: dict = {"box": _in_shares(head.box if head else crop.head(frame), size), "place": crop.to_json()}
    if head and frame == "eyes":
        answer |= {"landmarks": _entry(head, size)["landmarks"], "sure": round(head.sure, 2)}
        answer["hint"] = "" if by_eyes(head, size) else DOUBT if head.score < DOUBTFUL else ASIDE
    return answer


def photo_bytes(upload: object) -> bytes:
    """The one file of a binary server call: Gradio has deleted its own copy by now. Raises PhotoError."""
    files = getattr(upload, "files", None)
    if not files:
        raise PhotoError("No photo arrived; please choose one.")
    return files[0][1]


def _in_pixels(box: Box, size: tuple[int, int]) -> Box:
    return box[0] * size[0], box[1] * size[1], box[2] * size[0], box[3] * size[1]


def _in_shares(numbers: Box | Point, size: tuple[int, int]) -> list[float]:
    return [round(v / whole, 5) for v, whole in zip(numbers, (*size, *size))]


def _entry(head: Head, size: tuple[int, int]) -> dict:
    points = [_in_shares(point, size) for point in head.landmarks or ()]
    return {"box": _in_shares(head.box, size), "score": round(head.score, 2), "landmarks": points}


def _thumbnail(photo: Image.Image) -> str:
    small = photo.copy()
    small.thumbnail((SHOWN, SHOWN), reducing_gap=2.0)
    return data_url(small, still=False)
