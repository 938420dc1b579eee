"""Where random dogs come from: a seed and a temperature -> latents.

A prior is anything with this `draw`. A new one is a file beside this one, as flow.py is, and two lines in latents.py
that read and write it.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .basis import Basis


class Prior(Protocol):
    def draw(self, n: int, temperature: float, seed: int) -> Tensor:
        """n latents, float32 [n, D] on the CPU. Dog i of a seed does not depend on n.

        temperature 0 is one dog for all seeds, the most ordinary one; 1 is how real dogs vary.
        """
        ...


class Source(Protocol):
    """A prior that another one can choose from."""

    @property
    def basis(self) -> Basis: ...

    def coordinates(
        self, n: int, seed: int, dtype: torch.dtype = torch.float32, rows: Tensor | None = None
    ) -> Tensor:
        """What `draw` draws at temperature 1, in coordinates [n, D]. dtype: what it is computed in; rows: indices
        [m] of those that are wanted [m, D]."""
        ...


def noise(n: int, dim: int, seed: int) -> tuple[Tensor, Tensor]:
    """eps [n, dim] ~ N(0, 1) and u [n] ~ U(0, 1), row after row, so that row i does not depend on n."""
    generator = torch.Generator().manual_seed(seed)
    rows = [(torch.randn(dim, generator=generator), torch.rand((), generator=generator)) for _ in range(n)]
    eps, u = zip(*rows)
    return torch.stack(eps), torch.stack(u)


@dataclass(frozen=True)
class Normal:
    """N(0, I): what a VAE asks of its latents, and what they never quite follow."""

    dim: int

    def draw(self, n: int, temperature: float, seed: int) -> Tensor:
        return temperature * noise(n, self.dim, seed)[0]


@dataclass(frozen=True)
class Mixture:
    """K Gaussians over the P widest directions, one Gaussian for each of the others.

    A terrier is not half a dachshund, so one Gaussian for all would draw what lies between the kinds.
    weights [K] add up to 1; centres [K, P] in coordinates; factors [K, P, P], the lower Cholesky factors
    of the covariances.
    """

    basis: Basis
    weights: Tensor
    centres: Tensor
    factors: Tensor

    def draw(self, n: int, temperature: float, seed: int) -> Tensor:
        return self.basis.from_coordinates(temperature * self.coordinates(n, seed))

    def coordinates(
        self, n: int, seed: int, dtype: torch.dtype = torch.float32, rows: Tensor | None = None
    ) -> Tensor:
        eps, u = noise(n, self.basis.dim, seed)
        if rows is not None:
            eps, u = eps[rows], u[rows]
        eps, wide = eps.to(dtype), self.basis.widest(self.centres.shape[1])
        eps[:, wide] = self.bend(eps[:, wide], u)
        return eps

    def bend(self, eps: Tensor, u: Tensor) -> Tensor:
        """eps [n, P] ~ N(0, 1) and u [n] ~ U(0, 1), which chooses the Gaussian -> coordinates [n, P]."""
        k = torch.bucketize(u, self.weights.cumsum(0)[:-1])
        factors, centres = self.factors[k].to(eps.dtype), self.centres[k].to(eps.dtype)
        return centres + torch.einsum("bij,bj->bi", factors, eps)

    def tensors(self) -> dict[str, Tensor]:
        return {"weights": self.weights, "centres": self.centres, "factors": self.factors}

    @classmethod
    def from_file(cls, basis: Basis, tensors: dict[str, Tensor]) -> "Mixture":
        """Raises ValueError, KeyError or TypeError for tensors that are no mixture."""
        mixture = cls(basis, **tensors)
        k, p = mixture.centres.shape if mixture.centres.ndim == 2 else (0, 0)
        fit = mixture.weights.shape == (k,) and mixture.factors.shape == (k, p, p) and k > 0 and p <= basis.dim
        if not fit or not (mixture.weights >= 0).all() or abs(mixture.weights.sum().item() - 1) > 1e-3:
            raise ValueError("a mixture whose parts do not fit each other")
        return mixture
