"""Random dogs of a model, drawn and looked at."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm import tqdm

from model import DogFinder, DogVAE
from model.landmarks import MIRROR
from model.landmarks import SIZE as LANDMARKS_SIZE
from model.latents import SEEN_AT, breed_logits
from model.packed import packed

from ..features import load_breeds
from .measures import measure

BATCH = 16


@dataclass
class Seen:
    """What was seen in N pictures: measures [N, K] and background [N, 21], as `measure` returns them; breeds
    [N, 118], logits."""

    measures: Tensor
    background: Tensor
    breeds: Tensor


class Eye:
    """Draws dogs and looks at them, with the landmarks' network and with lite0's classifier."""

    def __init__(self, vae: DogVAE, finder: DogFinder | None = None):
        self.vae, self.decode = vae, packed(vae).decode
        self.finder = finder or DogFinder()
        self.classifier = classifier_parts(*load_breeds())

    def draw(self, z: Tensor, what: str) -> Seen:
        """Latents [N, D] -> what is seen in their pictures. what: for the progress bar."""
        pieces = [self.see(self.decode(piece).cpu()) for piece in tqdm(z.split(BATCH), what, unit=" x 16", leave=False)]
        return Seen(*(torch.cat([getattr(piece, key) for piece in pieces]) for key in Seen.__dataclass_fields__))

    @torch.inference_mode()
    def see(self, x: Tensor) -> Seen:
        """Pictures [B, 3, S, S] in [-1, 1]."""
        breeds = self.breeds(x)
        return Seen(*measure(x, self.points(x), breeds), breeds)

    def breeds(self, x: Tensor) -> Tensor:
        return breed_logits(self.finder.features(x, SEEN_AT)[-1], **self.classifier)

    def points(self, x: Tensor) -> Tensor:
        """Eyes and nose [B, 3, 2] as shares of the side: the pictures are framed by them, so one look is enough."""
        points, _, _ = self.finder.landmarks.maps(*self.finder.features(torch.cat([x, x.flip(3)]), LANDMARKS_SIZE)[2:])
        straight, mirrored = points.float().chunk(2)
        return (straight + torch.stack([1 - mirrored[..., 0], mirrored[..., 1]], dim=-1)[:, MIRROR]) / 2


def classifier_parts(head: nn.Conv2d, classes: nn.Linear) -> dict[str, Tensor]:
    """As `Breeds` keeps them."""
    assert head.bias is not None
    return {
        "head_weight": head.weight[:, :, 0, 0],
        "head_bias": head.bias,
        "class_weight": classes.weight,
        "class_bias": classes.bias,
    }
