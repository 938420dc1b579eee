"""How much finding the head helps: photos of whole dogs through a model, cut by the finder or in the middle."""

import torch
from torch import Tensor
from tqdm import tqdm

from model import DogFinder, DogVAE, NoDogError, PhotoError
from model.crop import Crop
from model.photos import open_photo
from model.pixels import to_tensor

from ..data.folder import DataError
from ..features import Judge
from ..finder.views import Labelled
from .measures import SIZE

BATCH = 16


def of_photos(vae: DogVAE, judge: Judge, finder: DogFinder, photos: list[Labelled]) -> dict:
    """Mean perceptual distance of crop and reconstruction, cut either way; where no head is found, in the middle."""
    size, frame = vae.config.image_size, vae.config.frame
    found, middle, missed, unread = [], [], 0, 0
    for photo in tqdm(photos, "uncropped photos", unit=" photos", leave=False):
        try:
            opened = open_photo(photo.path)
        except PhotoError:
            unread += 1
            continue
        middle.append(Crop.middle(opened.size).cut(opened, size))
        try:
            found.append(finder.frame(opened, frame=frame).cut(opened, size))
        except NoDogError:
            found.append(middle[-1])
            missed += 1
    if not middle:
        raise DataError(f"None of the {len(photos)} photos can be read.")
    distances = [_distance(vae, judge, torch.stack([to_tensor(p, size) for p in crops])) for crops in (found, middle)]
    return {
        "photos": len(middle),
        "unread": unread,
        "not_found": missed,
        "finder": distances[0],
        "centre_crop": distances[1],
        "ratio": distances[0] / distances[1],
    }


@torch.inference_mode()
def _distance(vae: DogVAE, judge: Judge, x: Tensor) -> float:
    device = next(judge.parameters()).device
    total = 0.0
    for batch in x.split(BATCH):
        rebuilt = vae.decode(vae.encode(batch)[0])
        pair = [_shown(p).to(device, memory_format=torch.channels_last) for p in (batch, rebuilt)]
        total += judge.distance(*pair).sum().item()
    return total / len(x)


def _shown(x: Tensor) -> Tensor:
    if x.shape[-1] == SIZE:
        return x
    return torch.nn.functional.interpolate(x, (SIZE, SIZE), mode="bicubic", antialias=True).clamp(-1, 1)
