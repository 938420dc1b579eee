"""Random dogs of a model, drawn and looked at."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from model import DogFinder, DogVAE
from model.landmarks import MIRROR
from model.landmarks import SIZE as LANDMARKS_SIZE
from model.packed import packed

from ..features import load_breeds
from .measures import measure

BATCH = 16
SEEN_AT = 224  # pixels a side at which lite0 learned ImageNet


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
        finder = finder or DogFinder()
        self.trunk, self.maps, self.dtype = finder.trunk, finder.landmarks.maps, finder.dtype
        self.head, self.classes = load_breeds()

    def draw(self, z: Tensor, what: str) -> Seen:
        """Latents [N, D] -> what is seen in their pictures. what: for the progress bar."""
        pieces = [self.see(self.decode(piece).cpu()) for piece in tqdm(z.split(BATCH), what, unit=" x 16", leave=False)]
        return Seen(*(torch.cat([getattr(piece, key) for piece in pieces]) for key in Seen.__dataclass_fields__))

    @torch.inference_mode()
    def see(self, x: Tensor) -> Seen:
        """Pictures [B, 3, S, S] in [-1, 1]."""
        breeds = self.breeds(x)
        return Seen(*measure(x, self.points(x), breeds), breeds)

    def features(self, x: Tensor, size: int) -> list[Tensor]:
        x = F.interpolate(x, size=size, mode="bilinear", antialias=True)
        return self.trunk(x.to(self.dtype, memory_format=torch.channels_last))

    def breeds(self, x: Tensor) -> Tensor:
        h = F.relu6(self.head(self.features(x, SEEN_AT)[-1].float())).mean((2, 3))
        return self.classes(h)

    def points(self, x: Tensor) -> Tensor:
        """Eyes and nose [B, 3, 2] as shares of the side: the pictures are framed by them, so one look is enough."""
        points, _, _ = self.maps(*self.features(torch.cat([x, x.flip(3)]), LANDMARKS_SIZE)[2:])
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
