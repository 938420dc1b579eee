"""The visitor's photo: where the heads are, which square is taken, and what the model makes of it.

The server keeps nothing: for another box or another turn the browser sends the same photo again. Boxes are
[x0, y0, x1, y1] as shares of the photo's width and height, after it was turned.
"""

from PIL import Image

from model.finder import MARGIN, Box, Head
from model.photos import PhotoError

from .protocol import Wish
from .studio import Studio
from .worker import data_url

SHOWN = 640  # pixels of the longer side of the photo as the page shows it
NO_DOG = "I found no dog's head in this photo: draw a box round it, turn the photo, or go on anyway."


def see_photo(studio: Studio, upload: object) -> dict:
    """What the page shows of an upload (`protocol.Seen`). Raises PhotoError, RequestError.

    upload: a file and, in the field "wish", how it is to be seen (`Wish`).
    "z" is the dog; where no head was found there is none, but an "error" and perhaps a "guess".
    """
    wish = Wish.of(upload)
    sight = studio.look(photo_bytes(upload), wish.turns, find=not wish.whole and wish.box is None)
    size = sight.photo.size
    answer = {"turns": wish.turns, "heads": [_entry(head, size) for head in sight.heads]}
    answer |= {"photo": _thumbnail(sight.photo), "ratio": size[0] / size[1]}
    if wish.box:
        box = _in_pixels(wish.box, size)
    elif sight.heads:
        box = sight.heads[0].box
    elif wish.whole:
        box = None
    else:
        answer["guess"] = _entry(sight.guess, size) if sight.guess else None
        return answer | {"error": NO_DOG, "box": None}
    seen = studio.reconstruct(studio.cut(sight.photo, box))
    answer["box"] = _in_shares(box or _middle(sight.photo), size)
    answer |= {"crop": data_url(seen.crop), "psnr": round(seen.psnr, 1)}
    answer["percentile"] = round(100 * seen.percentile, 1)
    return answer | {"z": seen.z}


def photo_bytes(upload: object) -> bytes:
    """The one file of a binary server call: Gradio has deleted its own copy by now. Raises PhotoError."""
    files = getattr(upload, "files", None)
    if not files:
        raise PhotoError("No photo arrived; please choose one.")
    return files[0][1]


def _in_pixels(box: Box, size: tuple[int, int]) -> Box:
    return box[0] * size[0], box[1] * size[1], box[2] * size[0], box[3] * size[1]


def _in_shares(box: Box, size: tuple[int, int]) -> list[float]:
    return [round(v / whole, 5) for v, whole in zip(box, (*size, *size))]


def _entry(head: Head, size: tuple[int, int]) -> dict:
    return {"box": _in_shares(head.box, size), "score": round(head.score, 2)}


def _middle(photo: Image.Image) -> Box:
    """The head's box for which the middle square would be cut."""
    side, (x, y) = min(photo.size) / MARGIN / 2, (photo.width / 2, photo.height / 2)
    return x - side, y - side, x + side, y + side


def _thumbnail(photo: Image.Image) -> str:
    small = photo.copy()
    small.thumbnail((SHOWN, SHOWN), reducing_gap=2.0)
    return data_url(small, still=False)
