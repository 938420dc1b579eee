"""Photos to tensors and tensors to pictures."""

import io
import math
import warnings
from pathlib import Path
from typing import BinaryIO

import pillow_heif
import torch
from PIL import ExifTags, Image, ImageCms, ImageOps
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from .errors import PlainError

Image.init()  # all of Pillow's readers, of which FORMATS picks
pillow_heif.register_heif_opener()

# No others: Pillow knows forty formats, among them programs (EPS) and the data of telescopes and weather stations.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "TIFF", "BMP")
IN_WORDS = "a JPEG, PNG, WebP, AVIF, HEIC, GIF or TIFF photo"
MAX_BYTES = 25_000_000
MAX_JPEG_PIXELS = 120_000_000  # a 108-megapixel phone photo passes: a JPEG is decoded at an eighth of its size
MAX_PIXELS = 50_000_000  # of others, and of progressive JPEGs, which are unpacked whole before they are made smaller
MAX_WEBP_PIXELS = 25_000_000  # their reader holds a picture four times over
MAX_SCANS = 100  # of a progressive JPEG; cameras write about ten, and each is a pass over the whole picture
DEEP = ("I;16", "I;16L", "I;16B", "I", "F")  # Pillow's modes of grey with 16 bits and more
ORIENTATION = ExifTags.Base.Orientation
ENOUGH = 2048  # pixels, squared; photos of four times as many are halved, or more, as soon as they are decoded


class PhotoError(PlainError):
    """What was given is not a photo that can be used; its text is one plain sentence for the visitor."""


def open_photo(source: str | Path | bytes | BinaryIO) -> Image.Image:
    """A photo file, its path, its bytes or an open file -> PIL RGB, upright, sRGB; transparency on white.

    The first frame of a GIF. 16-bit, CMYK, palette and grey pictures become 8-bit RGB. A photo of many
    megapixels comes back smaller by a whole number: a head in it still has more pixels than the models take.
    Raises PhotoError with one plain sentence.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise PhotoError("The file is empty; please choose another photo.")
    if len(data) > MAX_BYTES:
        raise PhotoError("The file is larger than 25 MB; please choose a smaller photo.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning: our limit is checked below
            photo = Image.open(io.BytesIO(data), formats=FORMATS)
            _refuse_bombs(photo, data)
            photo.draft("RGB", (1024, 1024))  # a JPEG is decoded at 1/2 to 1/8: all that a 128 px crop can use
            photo.load()
            photo = _reduced(photo)
            ImageOps.exif_transpose(photo, in_place=True)
            return _to_srgb(photo)
    except PhotoError:
        raise
    except Exception as error:  # Pillow raises a dozen kinds; each means that this file is no use to us
        if isinstance(error, Image.DecompressionBombError):
            raise PhotoError("The picture has too many pixels; please choose a smaller one.") from None
        raise PhotoError(f"The file could not be read as a picture; please choose {IN_WORDS}.") from None


def _refuse_bombs(photo: Image.Image, data: bytes) -> None:
    """Few bytes can claim many pixels, or many passes over them: looked for before anything is decoded."""
    jpeg = photo.format in ("JPEG", "MPO")
    at_once = jpeg and not photo.info.get("progressive")
    most = MAX_JPEG_PIXELS if at_once else MAX_WEBP_PIXELS if photo.format == "WEBP" else MAX_PIXELS
    if photo.width * photo.height > most:
        raise PhotoError(f"The picture has {photo.width} x {photo.height} pixels; please choose a smaller one.")
    if jpeg and data.count(b"\xff\xda") > MAX_SCANS:
        raise PhotoError("The picture is a JPEG of an odd kind, with too many scans; please save it anew as a JPEG.")


def _reduced(photo: Image.Image) -> Image.Image:
    """Smaller by a whole number where it is far larger than anything here can use; in strips, since Pillow converts
    and averages by way of copies, and a photo may have 200 MB."""
    factor = int(math.sqrt(photo.width * photo.height) / ENOUGH)
    if factor < 2:
        return photo
    mode = photo.mode
    if mode in DEEP:
        mode = "F"
    elif mode in ("P", "PA", "1"):  # their values can't be averaged
        mode = "RGBA" if photo.has_transparency_data else "RGB"
    across, strip = min(factor, photo.width), 64 * factor
    small = Image.new(mode, (-(-photo.width // across), -(-photo.height // factor)))
    for top in range(0, photo.height, strip):
        part = photo.crop((0, top, photo.width, min(top + strip, photo.height)))
        part = part if part.mode == mode else part.convert(mode)
        small.paste(part.reduce((across, factor)), (0, top // factor))
    small.info = photo.info
    small.getexif()[ORIENTATION] = photo.getexif().get(ORIENTATION, 1)
    return small


def _read(source: str | Path | BinaryIO) -> bytes:
    try:
        if isinstance(source, str | Path):
            with open(source, "rb") as file:
                return file.read(MAX_BYTES + 1)
        return source.read(MAX_BYTES + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the path, a file that is closed
        raise PhotoError("The file could not be opened; please choose another photo.") from None


def _to_srgb(photo: Image.Image) -> Image.Image:
    if photo.mode in DEEP:  # Pillow's own conversion clips it
        wide = photo.convert("F")
        low, high = wide.getextrema()
        scale = 255 / 65535 if high > 255 else 255 if high <= 1 else 1
        if not (low == low and high == high):
            raise PhotoError("The picture holds values that are not numbers; please choose another photo.")
        photo = wide.point(lambda value: value * scale).convert("L")
    profile = photo.info.get("icc_profile")
    if photo.has_transparency_data:
        photo = photo.convert("RGBA")
        white = Image.new("RGBA", photo.size, "white")
        photo = Image.alpha_composite(white, photo).convert("RGB")
    if profile and photo.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(photo, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile: the colours as they stand are the best guess
    return photo.convert("RGB")


def center_crop(photo: Image.Image) -> Image.Image:
    """The largest square in the middle."""
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.crop((left, top, left + side, top + side))


def to_tensor(photo: Image.Image, size: int) -> Tensor:
    """PIL RGB -> float32 [3, size, size] in [-1, 1]; not square: the middle square."""
    picture = center_crop(photo).resize((size, size), Image.Resampling.LANCZOS)
    return TF.pil_to_tensor(picture).float() / 127.5 - 1


def to_pixels(x: Tensor) -> Tensor:
    """[..., 3, H, W] in [-1, 1] -> uint8 0..255."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def to_file(picture: Image.Image, format: str, **options) -> bytes:
    """The picture as a file of this format ("PNG", "JPEG", "WEBP"), with Pillow's options for it."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def to_picture(x: Tensor) -> Image.Image:
    """[3, H, W] in [-1, 1] -> PIL RGB."""
    return TF.to_pil_image(to_pixels(x.cpu()))
