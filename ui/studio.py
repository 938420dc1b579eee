"""What the page and the API ask of a model, in plain Python values: numbers in, picture files out."""

import base64
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from model.crop import Crop
from model.errors import PlainError
from model.finder import NO_DOG, DogFinder, Head, NoDogError, frame_of
from model.packed import packed
from model.photos import PhotoError, open_photo
from model.pixels import to_file, to_picture, to_tensor
from model.quantized import quantized
from model.vae import DogVAE

MAX_LATENT = 100.0  # no dog has a number nearly as large
MAX_COORDINATE = 1e5  # standard deviations: how far a latent from -100 to 100 can lie along the narrowest direction
GUESS = 0.05  # the least score of a place that is offered as a guess where no head was found
TURNS = (Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)  # Pillow turns to the left


class LatentError(PlainError):
    """The latent can't be decoded; its text is one plain sentence for the visitor."""


@dataclass
class Reconstruction:
    """A photo seen through the model: the square that it saw, what it made of it, and how far apart they are."""

    photo: Image.Image  # whole
    place: Crop  # of the square in it
    x: Tensor  # [1, 3, S, S], the square
    crop: Image.Image  # the same
    picture: Image.Image
    z: Tensor  # [D]
    psnr: float  # dB
    percentile: float  # share of the training dogs that are nearer to the mean dog, 0..1


@dataclass
class Sight:
    """A photo, upright, what the finder sees in it, and the square that is taken.

    head: whose square it is, if it is a head's. guess: where there might be a head, if there is none; then there is
    no crop either.
    """

    photo: Image.Image
    heads: list[Head]
    guess: Head | None = None
    head: Head | None = None
    crop: Crop | None = None


class Studio:
    """One model and what can be done with it. Not thread-safe on purpose: call it from one thread."""

    def __init__(
        self, vae: DogVAE, finder: DogFinder | None = None, lent: Callable[[Tensor], Tensor] | None = None
    ):
        """lent: draws on a GPU that is lent for it (zerogpu.py)."""
        self.vae, self.latents, self.finder, self.lent = vae, vae.latents, finder, lent
        self.decode = packed(vae).decode
        self.decode_moving = self.decode  # for pictures that are replaced in a moment
        self.size, self.dim = vae.config.image_size, vae.config.latent_dim

    def hasten(self) -> None:
        """Takes a quicker decoder for moving pictures, where this machine has one; about a second's work."""
        if quick := quantized(self.vae):
            self.decode_moving = quick.decode

    def sample(self, n: int, temperature: float, seed: int, prior: str = "fitted") -> Tensor:
        """Random latents [n, D] (`Latents.sample`). Raises LatentError."""
        try:
            return self.latents.sample(n, temperature=temperature, seed=seed, prior=prior)
        except ValueError as error:
            raise LatentError(str(error)) from None

    def random(self, seed: int, temperature: float, keep: Iterable[tuple[int, float]] = ()) -> Tensor:
        """The latent [D] of one random dog, but with these coordinates: (direction, value). Raises LatentError."""
        z, kept = self.sample(1, temperature, seed), dict(keep)
        if kept:
            c = self.latents.coordinates(z)
            c[0, list(kept)] = torch.tensor(list(kept.values()))
            z = self.at(c)
        return z[0]

    def draw(self, z: Tensor, decode: Callable[[Tensor], Tensor] | None = None) -> list[Image.Image]:
        """Latents [n, D] -> n pictures, by the given decoder or by the CPU's own."""
        return [to_picture(x) for x in (decode or self.decode)(z)]

    def look(
        self, photo: bytes | str, turns: int = 0, by_hand: Callable[[Image.Image], Head | Crop] | None = None
    ) -> Sight:
        """A photo file, turned clockwise by so many quarters, and the square to reconstruct in it.

        That of the best head; by_hand, a function of the upright photo, says instead which head or square to take, and
        no head is looked for. Raises PhotoError.
        """
        opened = open_photo(photo)
        if turns % 4:
            opened = opened.transpose(TURNS[turns % 4 - 1])
        heads: list[Head] = []
        chosen = by_hand(opened) if by_hand else None
        if chosen is None and self.finder:
            heads = self.finder.find(opened)
            if not heads:
                unsure = self.finder.find(opened, GUESS)
                return Sight(opened, [], unsure[0] if unsure else None)
            chosen = heads[0]
        if chosen is None or isinstance(chosen, Crop):
            return Sight(opened, [], crop=chosen or Crop.middle(opened.size))
        return Sight(opened, heads, None, chosen, frame_of(chosen, opened.size, self.vae.config.frame))

    def see(self, photo: bytes | str) -> Reconstruction:
        """A photo file, the head found in it, and what the model makes of that. Raises PhotoError, NoDogError."""
        sight = self.look(photo)
        if sight.crop is None:
            raise NoDogError(NO_DOG)
        return self.reconstruct(sight.photo, sight.crop)

    def reconstruct(self, photo: bytes | str | Image.Image, crop: Crop | None = None) -> Reconstruction:
        """A square (default: the middle one) of a photo, or of a photo file, through the model. Raises PhotoError."""
        opened = photo if isinstance(photo, Image.Image) else open_photo(photo)
        place = crop or Crop.middle(opened.size)
        x = to_tensor(place.cut(opened, self.size), self.size)[None]
        mu, _ = self.vae.encode(x)
        picture, psnr = self.redraw(x, mu[0])
        share = self.latents.percentile(mu.cpu()).item()
        return Reconstruction(opened, place, x, to_picture(x[0]), picture, mu[0].cpu(), psnr, share)

    def redraw(self, x: Tensor, z: Tensor) -> tuple[Image.Image, float]:
        """The picture of a latent [D], and its PSNR in dB beside a photo's square [1, 3, S, S]."""
        x_hat = self.decode(z[None]).cpu()
        mse = (x - x_hat).square().mean().item() / 4  # [-1, 1] spans 2: this is the error on a scale of 0..1
        return to_picture(x_hat[0]), 10 * math.log10(1 / max(mse, 1e-10))

    def path(self, a: Tensor, b: Tensor, frames: int) -> Tensor:
        """Latents [frames, D] on the way from latent a to b (both [D]).

        Along the great circle in whitened space, where dogs live on a shell: a straight line would pass
        through the grey average near the centre (White 2016, arXiv:1609.04468).
        """
        p, q = self.latents.coordinates(torch.stack([a, b]))
        t = torch.linspace(0, 1, frames)[:, None]
        omega = torch.acos(torch.cosine_similarity(p, q, dim=0).clamp(-1, 1))
        if omega.sin() < 1e-4:
            path = p + t * (q - p)
        else:
            path = (torch.sin((1 - t) * omega) * p + torch.sin(t * omega) * q) / omega.sin()
        return self.latents.from_coordinates(path)

    def to_json(self, z: Tensor) -> dict:
        """A latent [D] as it is stored and sent."""
        return {"format": 1, "weights": self.vae.weights_id, "z": [round(v, 5) for v in z.tolist()]}

    def from_json(self, value: object) -> Tensor:
        """The inverse of `to_json`; a bare list of D numbers is taken too. Raises LatentError."""
        if isinstance(value, dict):
            if value.get("format") != 1 or "z" not in value:
                raise LatentError("This is not a DogVAE latent of format 1.")
            if value.get("weights") not in (None, self.vae.weights_id):
                raise LatentError("This latent was made with other weights, whose numbers mean other dogs.")
            value = value["z"]
        return self.numbers(value)

    def at(self, c: Tensor) -> Tensor:
        """Coordinates (`Latents.coordinates`) [n, D] -> latents [n, D] that may be stored and loaded."""
        return self.latents.from_coordinates(c).clamp(-MAX_LATENT, MAX_LATENT)

    def numbers(self, values: object, most: float = MAX_LATENT) -> Tensor:
        """A list of D numbers from -most to most -> [D]. Raises LatentError."""
        if not isinstance(values, list) or len(values) != self.dim:
            count = f"{len(values)} numbers" if isinstance(values, list) else "something else"
            raise LatentError(f"A latent is a list of {self.dim} numbers; this is {count}.")
        if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
            raise LatentError(f"A latent is a list of {self.dim} numbers; some entries of this one are not numbers.")
        if not all(-most <= v <= most for v in values):  # NaN fails this too
            raise LatentError("Some numbers of this latent are infinite, not a number, or absurdly large.")
        return torch.tensor(values, dtype=torch.float32)


def open_data_url(url: str) -> Image.Image:
    """A picture file as a data: URL -> PIL RGB. Raises PhotoError."""
    try:
        return open_photo(base64.b64decode(url.partition(",")[2], validate=True))
    except ValueError as error:  # of base64; PhotoError is one too
        raise error if isinstance(error, PhotoError) else PhotoError("This is no picture in a data: URL.") from None


def png(picture: Image.Image) -> bytes:
    """Of 256 pixels in 5 ms; a seventh smaller, it would take 20."""
    return to_file(picture, "PNG", compress_level=1)


def jpeg(picture: Image.Image) -> bytes:
    """For a picture that is replaced in a moment: a tenth of the bytes of a PNG."""
    return to_file(picture, "JPEG", quality=88)
