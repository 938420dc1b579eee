"""Whether a picture of an upright head has two eyes and a nose where one looks for them."""

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as TF
from tqdm import tqdm

from model import DogFinder
from model.crop import Crop

BATCH = 16
WHOLE = 0.95  # share of the photos that count as whole


class Faces:
    """How sure the landmark net is of eyes and nose, held against how sure it is on photos."""

    def __init__(self, real: Tensor):
        """real: photos uint8 [N, 3, S, S]."""
        self.landmarks = DogFinder().landmarks
        self.enough = self.sureness(real, "looking for eyes in val").quantile(1 - WHOLE).item()

    def sureness(self, pixels: Tensor, doing: str = "looking for eyes") -> Tensor:
        """Pictures uint8 [N, 3, S, S] of one head each -> how sure its eyes and nose are [N], 0..1."""
        sure: list[float] = []
        for batch in tqdm(pixels.split(BATCH), doing, unit=" batches", leave=False):
            for picture in batch:
                photo = TF.to_pil_image(picture)
                sure += [face.sure for face in self.landmarks.find(photo, [Crop.middle(photo.size)])]
        return torch.tensor(sure)

    def whole(self, pixels: Tensor) -> float:
        """The share of the pictures whose eyes and nose are as sure as those of 95 of 100 photos."""
        return (self.sureness(pixels) >= self.enough).float().mean().item()
