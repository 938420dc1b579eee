"""Sliders that people ask for: ways through latent space that change one thing of a picture, Looks and breeds.

Each has a reading, which tells from a latent where its dog stands, and a way to go that was made to leave the other
readings as they are (conditional manipulation, InterFaceGAN: Shen et al. 2020, arXiv:2005.09635). training.looks fits
them to draws from the prior.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..files import write_whole

SEEN_AT = 224  # pixels a side at which lite0 learned to tell breeds
M = TypeVar("M", bound="Moves")


@dataclass(frozen=True)
class Moves:
    """K ways to go in latents of D numbers, each by its name.

    readings [K, D], levels [K]: where a dog stands is z . reading + level, in standard deviations of random dogs from
    the mean of them. kept, free [K, D]: what one such standard deviation adds to z, the background kept or not.
    """

    names: list[str]
    readings: Tensor
    levels: Tensor
    kept: Tensor
    free: Tensor

    TENSORS: ClassVar[tuple[str, ...]] = ("readings", "levels", "kept", "free")
    FACTS: ClassVar[tuple[str, ...]] = ("names",)

    def read(self, z: Tensor) -> Tensor:
        """z [B, D] -> where each dog stands on each scale [B, K]."""
        return z @ self.readings.T + self.levels

    def index(self, name: str) -> int:
        """Raises ValueError for a name that is not there."""
        if name not in self.names:
            raise ValueError(f"There is no {name!r} here; there are {', '.join(self.names)}.")
        return self.names.index(name)

    def move(self, z: Tensor, name: str, by: float, keep_background: bool = True) -> Tensor:
        """z [B, D] moved along one of these, by so many standard deviations of random dogs. Raises ValueError."""
        return z + by * (self.kept if keep_background else self.free)[self.index(name)]

    def save(self, path: Path, weights: str) -> None:
        """In float16: the file stays small. weights: the id of those that it belongs to."""
        tensors = {name: getattr(self, name).half().contiguous().clone() for name in self.TENSORS}
        facts = {name: json.dumps(getattr(self, name)) for name in self.FACTS}
        write_whole(path, to_bytes(tensors, facts | {"weights": weights}))

    @classmethod
    def load(cls: type[M], path: Path, weights: str, dim: int) -> M | None:
        """None where there is no such file. Raises ValueError for one of other weights or that does not fit, and
        SafetensorError for a damaged one."""
        if not path.is_file():
            return None
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}
        if facts.get("weights") != weights:
            raise ValueError("is of other weights")
        try:
            loaded = cls(**tensors, **{name: json.loads(facts[name]) for name in cls.FACTS})
        except (KeyError, TypeError, json.JSONDecodeError):
            raise ValueError("lacks an entry or has one too many") from None
        loaded.check(dim)
        return loaded

    def check(self, dim: int) -> None:
        """Raises ValueError where the parts do not fit each other or latents of dim numbers."""
        parts = [getattr(self, one.name) for one in fields(self) if one.name in self.TENSORS]
        texts = isinstance(self.names, list) and all(isinstance(name, str) for name in self.names)
        shapes = {"levels": (len(self.names),)} | {key: (len(self.names), dim) for key in ("readings", "kept", "free")}
        if not texts or any(getattr(self, key).shape != shape for key, shape in shapes.items()):
            raise ValueError("has parts that do not fit each other")
        if not all(part.isfinite().all() for part in parts):
            raise ValueError("holds numbers that are not finite")


@dataclass(frozen=True)
class Looks(Moves):
    """What can be seen of any dog. ends: the words at both ends of each slider."""

    ends: list[list[str]]

    FACTS = ("names", "ends")

    def check(self, dim: int) -> None:
        super().check(dim)
        pairs = isinstance(self.ends, list) and all(
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(word, str) for word in pair)
            for pair in self.ends
        )
        if not pairs or len(self.ends) != len(self.names):
            raise ValueError("has parts that do not fit each other")


@dataclass(frozen=True)
class Breeds(Moves):
    """The breeds of dogs that ImageNet knows, K = 118, and the end of EfficientNet-Lite0's classifier that tells them.

    examples [K, D]: a dog of each. head_weight [H, C], head_bias [H], class_weight [K, H], class_bias [K]: from the C
    channels of the trunk's last features to logits.
    """

    examples: Tensor
    head_weight: Tensor
    head_bias: Tensor
    class_weight: Tensor
    class_bias: Tensor

    TENSORS = (*Moves.TENSORS, "examples", "head_weight", "head_bias", "class_weight", "class_bias")

    def logits(self, features: Tensor) -> Tensor:
        """The trunk's features at stride 32 [B, C, H, W] of pictures -> logits of the breeds [B, K], float32."""
        return breed_logits(features, self.head_weight, self.head_bias, self.class_weight, self.class_bias)

    def check(self, dim: int) -> None:
        super().check(dim)
        classes = (len(self.names), len(self.head_bias))
        fit = self.examples.shape == self.kept.shape and self.head_weight.ndim == 2
        fit &= self.class_weight.shape == classes and self.class_bias.shape == classes[:1]
        if not fit or len(self.head_weight) != classes[1]:
            raise ValueError("has parts that do not fit each other")


def breed_logits(
    features: Tensor, head_weight: Tensor, head_bias: Tensor, class_weight: Tensor, class_bias: Tensor
) -> Tensor:
    """`Breeds.logits`, of parts in float32."""
    h = torch.einsum("bchw,dc->bdhw", features.float(), head_weight) + head_bias[:, None, None]
    return h.clamp(0, 6).mean((2, 3)) @ class_weight.T + class_bias
