"""Pictures of upright heads -> numbers for what can be seen: which way it looks, its coat, the background.

Colours are taken as brightness, warmth (red less blue) and greenness (green less the mean of the others), in places
that eyes and nose tell. Distances are shares of the picture's side. What has no place to be measured at is told by
EfficientNet-Lite0: the mean logit of breeds that are known for it, less that of breeds known for the contrary.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .names import indices

SIZE = 128  # pixels a side at which colours are measured; edges at twice as many

UPRIGHT = indices(
    "German shepherd, Malinois shepherd, Siberian husky, Pembroke Welsh corgi, Cardigan Welsh corgi, Chihuahua, "
    "French bulldog, Boston terrier, basenji, Ibizan hound, Australian kelpie, schipperke, West Highland white "
    "terrier, cairn terrier, Norwich terrier, Australian terrier, toy terrier, miniature pinscher, Norwegian "
    "elkhound, Mexican hairless dog"
)
HANGING = indices(
    "basset hound, bloodhound, beagle, bluetick coonhound, black and tan coonhound, redbone coonhound, golden "
    "retriever, Labrador retriever, Irish setter, English setter, cocker spaniel, Sussex spaniel, vizsla, "
    "Weimaraner, bullmastiff, English springer, clumber spaniel, curly-coated retriever, Rhodesian ridgeback, "
    "Newfoundland"
)
SHAGGY = indices(
    "Old English sheepdog, briard, komondor, Shih Tzu, Lhasa apso, Tibetan terrier, Bouvier des Flandres, "
    "soft-coated wheaten terrier, otterhound, Maltese, affenpinscher, cairn terrier, Yorkshire terrier, Dandie "
    "Dinmont terrier, Australian terrier"
)
SHORT = indices(
    "boxer, Weimaraner, vizsla, Labrador retriever, Doberman, whippet, dalmatian, pug, American Staffordshire "
    "terrier, Rhodesian ridgeback, Great Dane, miniature pinscher, beagle, bullmastiff, Boston terrier"
)


@dataclass(frozen=True)
class Measure:
    """One number of a picture.

    ends: the words for little and much of it. beside: of these, and of what they make likely in random dogs, it is
    freed: a white dog's muzzle is no white muzzle. background: of what is behind the dog.
    """

    name: str
    ends: tuple[str, str]
    beside: tuple[str, ...] = ()
    background: bool = False


MEASURES = (
    Measure("head", ("turned left", "turned right")),
    Measure("mouth", ("shut", "tongue out"), ("coat colour", "coat")),
    Measure("ears", ("hanging", "upright")),
    Measure("muzzle", ("short", "long")),
    Measure("fur", ("short", "shaggy")),
    Measure("coat", ("dark", "light")),
    Measure("coat colour", ("grey", "golden"), ("coat",)),
    Measure("forehead", ("dark", "white blaze"), ("coat",)),
    Measure("muzzle colour", ("dark", "white"), ("coat",)),
    Measure("chest", ("dark", "light"), ("coat",)),
    Measure("light", ("from the left", "from the right")),
    Measure("picture", ("soft", "crisp"), ("coat",)),
    Measure("background", ("dark", "light"), background=True),
    Measure("background colour", ("blue", "orange"), background=True),
    Measure("background tint", ("red", "green"), background=True),
)
NAMES = [measure.name for measure in MEASURES]

# Rectangles of the background (left, top, right, bottom), whose colours other sliders leave as they are.
BACKGROUND = (
    (0, 0, 0.06, 0.5),
    (0.94, 0, 1, 0.5),
    (0, 0, 0.35, 0.06),
    (0.65, 0, 1, 0.06),
    (0.35, 0, 0.65, 0.06),
    (0, 0.5, 0.05, 0.8),
    (0.95, 0.5, 1, 0.8),
)


def measure(x: Tensor, points: Tensor, breeds: Tensor) -> tuple[Tensor, Tensor]:
    """What is seen in pictures.

    x [B, 3, S, S] in [-1, 1]; points [B, 3, 2]: the eye on the picture's left, the one on its right and the nose, as
    shares of its side; breeds [B, 118]: logits of ImageNet's breeds.
    Returns the measures [B, len(MEASURES)], each in its own unit, and the background's colours [B, 3 * 7].
    """
    large = colours(F.interpolate(x, size=2 * SIZE, mode="bilinear", antialias=True))
    small = F.avg_pool2d(large, 2)
    left, right, nose = points.unbind(1)
    eyes = (left + right) / 2
    brows = [at(small, left, 0, -0.11, 0.03), at(small, right, 0, -0.11, 0.03)]
    cheeks = [at(small, left, -0.05, 0.14, 0.04), at(small, right, 0.05, 0.14, 0.04)]
    coat = torch.stack(brows + cheeks).mean(0)  # [B, 3]
    muzzle = (at(small, nose, -0.09, 0.01, 0.03) + at(small, nose, 0.09, 0.01, 0.03)) / 2
    edge = background(small)
    sides = [(brow + cheek)[:, 0] for brow, cheek in zip(brows, cheeks)]
    seen = {
        "head": (nose - eyes)[:, 0],
        "mouth": tongue(small[:, 2], nose),
        "ears": contrast(breeds, UPRIGHT, HANGING),
        "muzzle": (nose - eyes)[:, 1] / (right - left).norm(dim=1).clamp_min(0.05),
        "fur": contrast(breeds, SHAGGY, SHORT),
        "coat": coat[:, 0],
        "coat colour": coat[:, 1] / (0.1 + coat[:, 0]),
        "forehead": at(small, eyes, 0, -0.12, 0.03)[:, 0] - torch.stack(brows).mean(0)[:, 0],
        "muzzle colour": muzzle[:, 0] - coat[:, 0],
        "chest": inside(small[:, :1], (0.15, 0.9, 0.85, 1))[:, 0],
        "light": (sides[1] - sides[0]) / (0.2 + 2 * coat[:, 0]),
        "picture": focus(large[:, :1]),
        "background": edge[:, 0],
        "background colour": edge[:, 1],
        "background tint": edge[:, 2],
    }
    patches = torch.cat([inside(small, box) for box in BACKGROUND], dim=1)
    return torch.stack([seen[name] for name in NAMES], dim=1), patches


def colours(x: Tensor) -> Tensor:
    """[B, 3, S, S] in [-1, 1] -> brightness, warmth and greenness, of values 0..1."""
    r, g, b = ((x + 1) / 2).unbind(1)
    return torch.stack([0.299 * r + 0.587 * g + 0.114 * b, r - b, g - (r + b) / 2], dim=1)


def grid(size: int) -> tuple[Tensor, Tensor]:
    """y and x [size, size] of the middles of pixels, 0..1."""
    middles = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(middles, middles, indexing="ij")
    return y, x


def at(picture: Tensor, point: Tensor, right: float, down: float, radius: float) -> Tensor:
    """The mean [B, C] of a picture [B, C, S, S] in a disc, so far right of and below a point [B, 2]."""
    y, x = grid(picture.shape[-1])
    away = torch.hypot(x - (point[:, 0, None, None] + right), y - (point[:, 1, None, None] + down))
    disc = ((radius - away) * picture.shape[-1] + 0.5).clamp(0, 1)
    return torch.einsum("bcyx,byx->bc", picture, disc) / disc.sum((1, 2))[:, None].clamp_min(1e-6)


def inside(picture: Tensor, box: tuple[float, float, float, float]) -> Tensor:
    """The mean [B, C] of a picture in a rectangle."""
    left, top, right, bottom = (round(v * picture.shape[-1]) for v in box)
    return picture[:, :, top:bottom, left:right].mean((2, 3))


def background(picture: Tensor) -> Tensor:
    """The mean [B, C] along the upper edges: where there is least of the dog."""
    y, x = grid(picture.shape[-1])
    corner, side = (y < 0.06) & ((x < 0.3) | (x > 0.7)), (y < 0.5) & ((x < 0.05) | (x > 0.95))
    mask = (corner | side).float()
    return (picture * mask).sum((2, 3)) / mask.sum()


def tongue(greenness: Tensor, nose: Tensor) -> Tensor:
    """How pink the pinkest 80 pixels below the nose are [B]. greenness [B, S, S], which is below zero in pink."""
    y, x = grid(greenness.shape[-1])
    down = y - nose[:, 1, None, None]
    below = ((x - nose[:, 0, None, None]).abs() < 0.09) & (down > 0.1) & (down < 0.3)
    return torch.where(below, -greenness, -1.0).flatten(1).topk(80, dim=1).values.mean(1)


def focus(brightness: Tensor) -> Tensor:
    """How strong the finest edges are [B] round eyes and muzzle, for its brightness. brightness [B, 1, S, S]"""
    y, x = grid(brightness.shape[-1])
    head, middle = ((x - 0.5) / 0.3) ** 2 + ((y - 0.5) / 0.36) ** 2, ((x - 0.5) / 0.2) ** 2 + ((y - 0.55) / 0.2) ** 2
    face = (head < 1) & (middle > 1)
    smooth = F.avg_pool2d(F.pad(brightness, (4, 4, 4, 4), mode="reflect"), 9, 1)
    edges = (brightness - smooth).abs() / (0.2 + brightness)
    return (edges[:, 0] * face).sum((1, 2)) / face.sum()


def contrast(breeds: Tensor, much: list[int], little: list[int]) -> Tensor:
    """The mean logit [B] of some breeds, less that of others."""
    return breeds[:, much].mean(1) - breeds[:, little].mean(1)


@dataclass(frozen=True)
class Scale:
    """Measures in standard deviations of random dogs, each freed of those that it stands beside.

    fits: of each measure the least-squares coefficients of (1, v, v^2) of the measures beside it: of the first, which
    has none beside it, the mean.
    """

    fits: list[Tensor]
    sd: Tensor

    @classmethod
    def of(cls, seen: Tensor) -> "Scale":
        """From the measures [N, K] of random dogs."""
        fits = [torch.linalg.lstsq(_beside(seen, k), seen[:, k, None]).solution[:, 0] for k in range(seen.shape[1])]
        left = torch.stack([seen[:, k] - _beside(seen, k) @ fit for k, fit in enumerate(fits)], dim=1)
        return cls(fits, left.std(0).clamp_min(1e-6))

    def __call__(self, seen: Tensor) -> Tensor:
        """Measures [N, K], as `measure` returns them -> in standard deviations from their mean, [N, K]."""
        left = torch.stack([seen[:, k] - _beside(seen, k) @ fit for k, fit in enumerate(self.fits)], dim=1)
        return left / self.sd


def _beside(seen: Tensor, k: int) -> Tensor:
    """[N, 1 + 2 M]: what measure k is freed of."""
    others = [seen[:, NAMES.index(name)] for name in MEASURES[k].beside]
    return torch.stack([torch.ones(len(seen)), *others, *(v * v for v in others)], dim=1)
