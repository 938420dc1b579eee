"""What each part of the lesson shows, computed in the worker's thread: photo bytes or a seed in, an answer out."""

import math

import torch
from PIL import Image
from torch import Tensor

from model.latents.priors import Normal
from model.photos import open_photo
from model.pixels import to_picture, to_tensor

from ..studio import Studio
from ..worker import data_url
from .models import AUTOENCODER, CHOSEN, SEED, Models, Room
from .says import Drawn, Draws, Fitted, Gan, Hair, Kept, Mean, Priced, RoomSeen, Row, Squeezed, Stage

KEPT = (2, 8, 32, 128, 256)  # numbers
DRAWN = 6  # random dogs a row
AT_A_MOMENT = 4  # draws of the GAN
MEANS = (1, 2, 4, 8, 16)  # sharp pictures that are averaged
# How far their latents lie apart, in the standard deviations that the encoder itself gives for a photo. At 1 the hair
# hardly moves; at 2 it does, and the dog stays the same.
NEIGHBOURHOOD = 2.0


def as_seen(studio: Studio, photo: bytes) -> Tensor:
    """The middle square [1, 3, S, S] of a photo file. Raises PhotoError."""
    return to_tensor(open_photo(photo), studio.size)[None]


def pictured(studio: Studio, photo: bytes) -> Image.Image:
    return to_picture(as_seen(studio, photo)[0])


def url(picture: Image.Image) -> str:
    """Of the small models lossless, for they are enlarged; of others a JPEG, which is a tenth as large."""
    return data_url(picture, still=picture.width < 100)


def urls(pictures: list[Image.Image]) -> list[str]:
    return [url(picture) for picture in pictures]


def rounded(values: Tensor, digits: int = 3) -> list:
    return [[round(v, digits) for v in row] for row in values.tolist()]


def squeezed(models: Models, photo: bytes) -> Squeezed:
    """The photo through few of an autoencoder's numbers: its latent projected on the widest principal directions."""
    studio, latents = models.seeds_own, models.seeds_own.latents
    x = as_seen(studio, photo)
    c, order = latents.coordinates(studio.vae.encode(x)[0].cpu()), latents.widest(studio.dim)
    kept = torch.zeros(len(KEPT), studio.dim)
    for row, count in zip(kept, KEPT):
        row[order[:count]] = c[0, order[:count]]
    x_hat = studio.decode(latents.from_coordinates(kept)).cpu()
    errors = (x - x_hat).square().mean((1, 2, 3)) / 4  # on a scale of 0..1
    steps = [
        Kept(kept=count, picture=url(to_picture(picture)), psnr=round(10 * math.log10(1 / max(error, 1e-10)), 1))
        for count, picture, error in zip(KEPT, x_hat, errors.tolist())
    ]
    return Squeezed(crop=url(pictured(studio, photo)), size=studio.size, steps=steps)


def seen_in(room: Room, photo: bytes) -> RoomSeen:
    z = room.studio.vae.encode(as_seen(room.studio, photo))[0].cpu()
    return RoomSeen(
        name=room.name,
        points=rounded(room.cloud.points),
        directions=rounded(room.cloud.directions, 5),
        z=rounded(z, 4)[0],
        picture=url(room.studio.draw(z)[0]),
    )


def bell(models: Models, seed: int) -> Draws:
    """The same draws from N(0, I) decoded by the autoencoder and by the VAE of the chosen price."""
    rooms = [models.room(name) for name in (AUTOENCODER, CHOSEN)]
    z = Normal(rooms[0].studio.dim).draw(DRAWN, 1.0, seed)
    return Draws(rooms=[Drawn(points=rounded(r.cloud.place(z)), pictures=urls(r.studio.draw(z))) for r in rooms])


def priced(room: Room, photo: bytes) -> Priced:
    z = room.studio.vae.encode(as_seen(room.studio, photo))[0].cpu()
    drawn = room.studio.draw(torch.cat([z, Normal(room.studio.dim).draw(DRAWN, 1.0, seed=0)]))
    return Priced(
        price=room.price,
        likeness=round(room.likeness, 2),
        dogs=round(room.dogs, 3),
        points=rounded(room.cloud.points),
        pictures=urls(drawn[1:]),
        rebuilt=url(drawn[0]),
    )


def hairs(models: Models, photo: bytes) -> Tensor:
    """Latents [N, D] of dogs that are all but the one in the photo: the first is its own."""
    mu, logvar = models.dogvae.vae.encode(as_seen(models.dogvae, photo))
    sigma = torch.ones_like(mu) if logvar is None else torch.exp(0.5 * logvar)
    eps = torch.randn(MEANS[-1] - 1, mu.shape[1], generator=torch.Generator().manual_seed(0))
    return torch.cat([mu, mu + NEIGHBOURHOOD * sigma * eps.to(mu.device)]).cpu()


def averaged(models: Models, photo: bytes, pictures: list[Tensor]) -> Hair:
    """pictures: of `hairs`, each [3, S, S]."""
    by_pixels = models.seeds_own
    x_hat = by_pixels.decode(by_pixels.vae.encode(as_seen(by_pixels, photo))[0])
    means = [Mean(count=n, picture=url(to_picture(torch.stack(pictures[:n]).mean(0)))) for n in MEANS]
    return Hair(crop=url(pictured(models.dogvae, photo)), by_pixels=url(to_picture(x_hat[0])), means=means)


def gan(models: Models, seed: int) -> Gan:
    """The same random numbers by the generators of one run, as it went on."""
    run = models.gan
    drawn = run.draw(AT_A_MOMENT, seed)
    stages = [Stage(images=n, pictures=urls([to_picture(x) for x in row])) for (n, _), row in zip(run.stages, drawn)]
    return Gan(stages=stages, losses=[list(line) for line in run.losses])


def fitted(models: Models, seed: int) -> Fitted:
    """Draws from the bell curve, and from Gaussians fitted to the latents of real dogs."""
    rows = []
    for name in (AUTOENCODER, SEED, CHOSEN):
        room = models.room(name)
        z = [room.studio.sample(DRAWN, 1.0, seed, prior) for prior in ("normal", "mixture")]
        bell_row, fitted_row = (urls(room.studio.draw(latents)) for latents in z)
        rows.append(Row(price=room.price, bell=bell_row, fitted=fitted_row))
    return Fitted(rows=rows)
