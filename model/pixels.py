"""Pictures to tensors and back: the network sees values from -1 to 1, a picture holds bytes."""

import io

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from .photos import center_crop


def to_pixels(x: Tensor) -> Tensor:
    """[..., 3, H, W] in [-1, 1] -> uint8 0..255."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def from_pixels(pixels: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1], of the same shape."""
    return pixels.float() / 127.5 - 1


def to_tensor(photo: Image.Image, size: int) -> Tensor:
    """PIL RGB -> float32 [3, size, size] in [-1, 1]; not square: the middle square."""
    picture = center_crop(photo).resize((size, size), Image.Resampling.LANCZOS)
    return from_pixels(TF.pil_to_tensor(picture))


def to_picture(x: Tensor) -> Image.Image:
    """[3, H, W] in [-1, 1] -> PIL RGB."""
    return TF.to_pil_image(to_pixels(x.cpu()))


def to_file(picture: Image.Image, format: str, **options) -> bytes:
    """The picture as a file of this format ("PNG", "JPEG", "WEBP"), with Pillow's options for it."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()
