"""What training.fit finds in the latents of real dogs, and its file: a basis, and priors to draw from."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..files import write_whole
from .basis import Basis
from .chosen import Chosen
from .flow import Flow
from .priors import Mixture, Normal, Prior, Source

STORED = ("mixture", "flow", "chosen")  # priors in the file; the last that there is, is the best: "fitted"


@dataclass(frozen=True)
class Latents(Basis):
    """A basis and the priors fitted in it, by name: stored as latents.safetensors (at most 1 MB; float32,
    the weights of a flow float16).

    A VAE asks its latents to follow N(0, I), but the aggregate of what it encodes never quite does. So a
    density is fitted to the training set's latents after training (ex-post density estimation: Ghosh et al.
    2020, arXiv:1903.12436).
    """

    priors: dict[str, Prior]

    @classmethod
    def of(cls, basis: Basis, **priors: Prior) -> "Latents":
        parts = {name: getattr(basis, name) for name in Basis.__dataclass_fields__}
        return cls(**parts, priors={"normal": Normal(basis.dim), **priors})

    def sample(self, n: int, temperature: float = 1.0, seed: int = 0, prior: str = "fitted") -> Tensor:
        """n latents, float32 [n, D] on the CPU, the same for the same seed on every device. torch's generator takes
        the lower 32 bits of a seed: two that are 2^32 apart draw the same dogs.

        Dog i of a seed does not depend on n. temperature scales the spread: 0 is the most ordinary dog, above 1
        are odder ones. prior "fitted" is the best that these weights have; "normal" is N(0, I); the others are
        the names in `priors`.
        Raises ValueError for another prior, a temperature outside 0..2, n < 1 or a seed outside 0..2^53-1.
        """
        if prior == "fitted":
            prior = [name for name in STORED if name in self.priors][-1]
        if prior not in self.priors:
            known = ", ".join(repr(name) for name in ["fitted", *self.priors])
            raise ValueError(f"The prior is one of {known}, not {prior!r}.")
        if not 0 <= temperature <= 2:
            raise ValueError("The temperature is a number from 0 to 2.")
        if n < 1:
            raise ValueError("The number of dogs is at least 1.")
        if not 0 <= seed < 2**53:
            raise ValueError("The seed is a whole number from 0 to 9007199254740991.")
        return self.priors[prior].draw(n, temperature, seed)

    def save(self, path: Path) -> None:
        tensors = {name: getattr(self, name) for name in ("mean", "directions", "sd", "effect", "kl")}
        for name in STORED:
            if name in self.priors:
                fitted = self.priors[name].tensors()  # type: ignore[attr-defined]  # as all that are fitted
                tensors |= {f"{name}.{key}": t for key, t in fitted.items()}
        tensors = {key: t.contiguous().clone() for key, t in tensors.items()}
        facts = {"names": json.dumps(self.names), "distance": json.dumps(self.distance)}
        write_whole(Path(path), to_bytes(tensors, facts))

    @classmethod
    def load(cls, path: Path) -> "Latents":
        """Raises ValueError if an entry is missing or has another shape, SafetensorError for a damaged file."""
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}
            facts = file.metadata() or {}
        if not all(t.isfinite().all() for t in tensors.values()):
            raise ValueError(f"{path} holds numbers that are not finite.")
        parts: dict[str, dict[str, Tensor]] = {}  # "mixture.weights" -> mixture: weights
        for key, t in tensors.items():
            group, name = key.split(".", 1) if "." in key else ("", key)
            parts.setdefault(group, {})[name] = t
        try:
            names, distance = (json.loads(facts.get(key, "null")) for key in ("names", "distance"))
            basis = Basis.from_file(parts.pop("", {}), names, distance)
            mixture = Mixture.from_file(basis, parts.pop("mixture"))
            priors: dict[str, Prior] = {"mixture": mixture}
            source: Source = mixture
            if flow := parts.pop("flow", None):  # there is none where few pictures were to learn from
                priors["flow"] = source = Flow.of(basis, flow.pop("scale"), flow)
            if "chosen" in parts:  # weights from before 0.2 have none
                priors["chosen"] = Chosen.from_file(basis, parts.pop("chosen"), source)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} lacks an entry or has one too many: {error}.") from None
        except ValueError as error:
            raise ValueError(f"{path} holds {error}.") from None
        if parts:
            raise ValueError(f"{path} holds priors that this version does not know: {', '.join(parts)}.")
        return cls.of(basis, **priors)
