"""A photo file, whatever people have, to a picture that is upright and in sRGB."""

import contextlib
import io
import re
import warnings
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import BinaryIO

import pillow_heif
import torch
from PIL import Image, ImageChops, ImageCms, JpegImagePlugin, PngImagePlugin
from torchvision.io import ImageReadMode, decode_webp

from .errors import PlainError
from .formats import torn
from .formats.ifd import orientation
from .formats.png16 import is_png16, read_png16
from .formats.shades import Stored, assemble, reduction
from .formats.tiff import is_tiff, read_tiff

Image.init()  # all of Pillow's readers, of which FORMATS picks
pillow_heif.register_heif_opener()
PngImagePlugin.MAX_TEXT_CHUNK = 2**25  # bytes of a text or a profile in a PNG: editors write more than Pillow's 1 MB

# No others: Pillow knows forty formats, among them programs (EPS) and the data of telescopes and weather stations.
FORMATS = ("PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP")  # and JPEG and TIFF, which have ways of their own
SUFFIXES = {end for end, name in Image.registered_extensions().items() if name in (*FORMATS, "JPEG", "MPO", "TIFF")}
MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|RIFF....WEBP|GIF8[79]a|BM....\0\0\0\0|....ftyp(hei|hev|avi|mif1|msf1)", re.DOTALL
)
IN_WORDS = "a JPEG, PNG, WebP, AVIF, HEIC, GIF or TIFF photo"
MAX_BYTES = 25_000_000
MAX_JPEG_PIXELS = 120_000_000  # a 108-megapixel phone photo passes: a JPEG is decoded at an eighth of its size
MAX_PIXELS = 50_000_000  # of others, and of progressive JPEGs, which are unpacked whole before they are made smaller
MAX_HEAVY_PIXELS = 25_000_000  # of WebP, and of PNG in 16-bit colour, whose readers hold a picture more than once
MAX_SCANS = 100  # of a progressive JPEG; cameras write about ten, and each is a pass over the whole picture
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # of a JPEG: not a byte of a scan, not a restart within one
SCAN, END = 0xDA, 0xD9
CUT_SHORT = "This file is cut short: a little of the picture is missing at its end."
USUAL_GAMMA = 1 / 2.2  # by which a PNG encodes light (its specification, 11.3.2.2); nearly sRGB's curve
PROFILES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}  # a profile's space of colours -> mode
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PhotoError(PlainError):
    """What was given is not a photo that can be used; its text is one plain sentence for the visitor."""


def open_photo(source: str | Path | bytes | BinaryIO) -> Image.Image:
    """A photo file, its path, its bytes or an open file -> PIL RGB, upright, sRGB; transparency on white.

    The first frame of a GIF, the still of a motion photo. 16-bit, CMYK, palette and grey pictures become 8-bit RGB.
    A photo of many megapixels comes back smaller by a whole number: a head in it still has more pixels than the
    models take. Of a file that is cut short near its end, what there is, with info["cut_short"] set.
    Raises PhotoError with one plain sentence.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise PhotoError("The file is empty; please choose another photo.")
    if len(data) > MAX_BYTES:
        raise PhotoError(f"The file is larger than {MAX_BYTES // 10**6} MB; please choose a smaller photo.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning: our limit is checked below
            stored, whole = _decode_what_there_is(data)
            photo = _shown(stored)
            photo.info = {} if whole else {"cut_short": True}
            return photo
    except PhotoError:
        raise
    except Exception as error:  # Pillow raises a dozen kinds; each means that this file is no use to us
        if isinstance(error, Image.DecompressionBombError):
            raise PhotoError("The picture has too many pixels; please choose a smaller one.") from None
        raise PhotoError(f"The file could not be read as a picture; please choose {IN_WORDS}.") from None


def looks_like_photo(start: bytes) -> bool:
    """Whether a file that begins so is of a format that `open_photo` reads."""
    return is_tiff(start) or MAGIC.match(start) is not None


def _read(source: str | Path | BinaryIO) -> bytes:
    try:
        if isinstance(source, str | Path):
            with open(source, "rb") as file:
                return file.read(MAX_BYTES + 1)
        return source.read(MAX_BYTES + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the path, a file that is closed
        raise PhotoError("The file could not be opened; please choose another photo.") from None


def _decode_what_there_is(data: bytes) -> tuple[Stored, bool]:
    """The picture, and whether the file is whole. Raises what its reader raises where too much is missing."""
    try:
        return _decode(data, methodcaller("load")), True
    except (PhotoError, Image.DecompressionBombError):
        raise
    except Exception as error:  # each reader has its own for a file that ends too early
        found: list[Stored] = []
        for number, filler in enumerate(torn.FILLERS):
            with contextlib.suppress(Exception):
                found.append(_decode(torn.completed(data, filler), partial(torn.load_onto, value=170 - 40 * number)))
            if len(found) == 2:
                break
        if len(found) < 2 or torn.missing(found[0].colours, found[1].colours) > torn.MISSING:
            raise error
        return found[0], False


# ---- Bytes to pixels


def _decode(data: bytes, load: Callable[[Image.Image], object]) -> Stored:
    """load: called with an image of Pillow in order to decode it."""
    if is_tiff(data):
        return read_tiff(data, load)
    photo = _open(data)
    _refuse_bombs(photo, data)
    profile = photo.info.get("icc_profile")
    if is_png16(photo):
        colours, alpha = read_png16(photo, data, load)
    elif photo.format == "WEBP" and not getattr(photo, "is_animated", False):
        colours, alpha = _colours_and_alpha(_still_webp(data))
    else:
        photo.draft("RGB", (1024, 1024))  # a JPEG is decoded at 1/2 to 1/8: all that a crop can use
        load(photo)
        colours, alpha = _colours_and_alpha(_reduced(photo))
    if photo.format == "PNG" and not profile and "srgb" not in photo.info:
        colours = _brightened(colours, photo.info.get("gamma", USUAL_GAMMA))
    return Stored(colours, alpha, profile, _orientation(photo) or 1)


def _open(data: bytes) -> Image.Image:
    if data[:2] == b"\xff\xd8":  # never as an MPO, whose list of further pictures may be wrong
        return JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception:
        if data[4:8] != b"ftyp":
            raise
        # Pillow writes the EXIF of an AVIF anew, which may fail; nothing in it is needed: the file itself says how
        # the picture is turned.
        return Image.open(io.BytesIO(data.replace(b"Exif", b"skip", 1)), formats=FORMATS)


def _refuse_bombs(photo: Image.Image, data: bytes) -> None:
    """Few bytes can claim many pixels, or many passes over them: looked for before anything is decoded."""
    jpeg = photo.format == "JPEG"
    at_once = jpeg and not photo.info.get("progressive")
    heavy = photo.format == "WEBP" or (is_png16(photo) and "RGB" in str(photo.tile))
    most = MAX_JPEG_PIXELS if at_once else MAX_HEAVY_PIXELS if heavy else MAX_PIXELS
    if photo.width * photo.height > most:
        raise PhotoError(f"The picture has {photo.width} x {photo.height} pixels; please choose a smaller one.")
    if jpeg and scans(data) > MAX_SCANS:
        raise PhotoError("The picture is a JPEG of an odd kind, with too many scans; please save it anew as a JPEG.")


def scans(data: bytes) -> int:
    """The scans of the first picture in a JPEG file (no more than one too many), whatever it embeds or precedes."""
    count, at = 0, 2
    while count <= MAX_SCANS and (found := MARKER.search(data, at)):
        at, marker = found.end(), data[found.end() - 1]
        if marker == END:
            break
        count += marker == SCAN
        at += int.from_bytes(data[at : at + 2], "big")  # what the marker says of itself
    return count


def _still_webp(data: bytes) -> Image.Image:
    """Pillow takes every WebP for a film and holds it four times over; this holds it once."""
    pixels = decode_webp(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.UNCHANGED)
    rows, mode = pixels.permute(1, 2, 0), "RGBA" if len(pixels) == 4 else "RGB"

    def band(top: int, bottom: int) -> Image.Image:
        return Image.fromarray(rows[top:bottom].contiguous().numpy())

    return assemble((rows.shape[1], rows.shape[0]), mode, band)


def _orientation(photo: Image.Image) -> int | None:
    """As EXIF says it, or XMP, and nothing else in them matters."""
    if photo.format == "HEIF":  # is turned by its reader; its EXIF only repeats that
        return 1
    exif = photo.info.get("exif") or _hex(photo.info.get("Raw profile type exif", ""))
    if (turn := orientation(exif)) is not None:
        return turn
    xmp = photo.info.get("xmp") or photo.info.get("XML:com.adobe.xmp") or b""
    found = re.search(rb'tiff:Orientation(?:="|>)([1-8])', xmp.encode() if isinstance(xmp, str) else bytes(xmp))
    return int(found[1]) if found else None


def _hex(text: str) -> bytes:
    """EXIF as ImageMagick writes it into a PNG: as text, after three lines."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except (ValueError, AttributeError):
        return b""


def _brightened(colours: Image.Image, gamma: float) -> Image.Image:
    """Colours of a PNG that were encoded by another exponent than the usual one, as its chunk gAMA says."""
    exponent = USUAL_GAMMA / gamma if 0.1 < gamma < 5 else 1
    if abs(exponent - 1) < 0.05 or colours.mode not in ("L", "RGB"):
        return colours
    return colours.point([round(255 * (value / 255) ** exponent) for value in range(256)] * len(colours.getbands()))


def _reduced(photo: Image.Image) -> Image.Image:
    """In a mode whose values can be averaged, and smaller by its `reduction`."""
    mode = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB", "RGBa": "RGBA", "La": "LA"}.get(photo.mode, photo.mode)
    if photo.has_transparency_data:
        mode = "LA" if mode in ("L", "LA") else "RGBA"
    if reduction(photo.size) == 1:
        return photo.convert(mode)
    return assemble(photo.size, mode, lambda top, bottom: photo.crop((0, top, photo.width, bottom)).convert(mode))


def _colours_and_alpha(photo: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours and alpha."""
    if photo.mode not in ("LA", "RGBA"):
        return photo, None
    return photo.convert(photo.mode.removesuffix("A")), photo.getchannel("A")


# ---- Pixels to what is seen


def _shown(stored: Stored) -> Image.Image:
    """RGB, upright, in sRGB, on white."""
    photo = _in_srgb(stored.colours, stored.profile)
    if stored.alpha:
        white = Image.new("RGB", photo.size, "white")
        white.paste(photo, mask=stored.alpha)
        photo = white
    return photo.transpose(TURNS[stored.orientation]) if stored.orientation in TURNS else photo


def _in_srgb(colours: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            meant = PROFILES.get(source.profile.xcolor_space.strip())
            if (colours.mode, meant) in (("L", "RGB"), ("YCbCr", "RGB")) or (meant == "L" and _is_grey(colours)):
                colours = colours.convert(meant)
            if meant == colours.mode:
                srgb = ImageCms.createProfile("sRGB")
                return ImageCms.profileToProfile(colours, source, srgb, outputMode="RGB") or colours
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile: the colours as they stand are the best guess
    return colours.convert("RGB")


def _is_grey(colours: Image.Image) -> bool:
    """Whether a picture in colour, such as one with a palette, is a grey one."""
    if colours.mode != "RGB":
        return False
    red, green, blue = colours.split()
    return not (ImageChops.difference(red, green).getbbox() or ImageChops.difference(green, blue).getbbox())


def center_crop(photo: Image.Image) -> Image.Image:
    """The largest square in the middle."""
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.crop((left, top, left + side, top + side))
