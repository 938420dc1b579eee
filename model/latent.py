"""What the latents of real dogs look like: their mean, their principal directions, and a prior to draw from.

A VAE asks its latents to follow N(0, I), but the aggregate of what it encodes never quite does. So a
density is fitted to the training set's latents after training (ex-post density estimation: Ghosh et al.
2020, arXiv:1903.12436): a Gaussian with full covariance, and along the principal directions in which
dogs vary most a small mixture of Gaussians, since a terrier is not half a dachshund.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from .files import write_whole


@dataclass
class Mixture:
    """K Gaussians over the P widest principal directions, in standard deviations along them.

    weights [K] add up to 1; centres [K, P]; factors [K, P, P], the lower Cholesky factors of the covariances.
    """

    weights: Tensor
    centres: Tensor
    factors: Tensor

    def draw(self, eps: Tensor, u: Tensor) -> Tensor:
        """eps [B, P] ~ N(0, 1) and u [B] ~ U(0, 1), which chooses the Gaussian -> draws [B, P]."""
        k = torch.bucketize(u, self.weights.cumsum(0)[:-1])
        return self.centres[k] + torch.einsum("bij,bj->bi", self.factors[k], eps)

    def valid(self) -> bool:
        k, p = self.centres.shape if self.centres.ndim == 2 else (0, 0)
        shapes = self.weights.shape == (k,) and self.factors.shape == (k, p, p)
        return shapes and k > 0 and bool((self.weights >= 0).all()) and abs(self.weights.sum().item() - 1) < 1e-3


@dataclass
class Latents:
    """Fitted by training.fit, stored as latents.safetensors (float32, at most 1 MB).

    mean [D]; directions [D, D], rows orthonormal, ordered by effect; sd [D], the standard deviation of
    real dogs along each; effect [D], the mean perceptual change of a picture between -2 and +2 sd;
    kl [D], mean nats of each raw latent dimension over the training set (0 = dead; autoencoder: variance);
    names, one for each direction; mixture, of the directions with the largest sd; distance, the mean and the standard
    deviation of the logarithm of the training dogs' squared distance from the mean.
    """

    mean: Tensor
    directions: Tensor
    sd: Tensor
    effect: Tensor
    kl: Tensor
    names: list[str]
    mixture: Mixture
    distance: tuple[float, float]

    def sample(self, n: int, temperature: float = 1.0, seed: int = 0, prior: str = "fitted") -> Tensor:
        """n latents, float32 [n, D] on the CPU, the same for the same seed on every device.

        Dog i of a seed does not depend on n. temperature scales the spread: 0 is the mean dog, above 1
        are odder ones. prior "fitted" is the density of real dogs' latents (above); "normal" is N(0, I).
        Raises ValueError for another prior, a temperature outside 0..2, n < 1 or a seed outside 0..2^53-1.
        """
        if prior not in ("fitted", "normal"):
            raise ValueError(f"The prior is 'fitted' or 'normal', not {prior!r}.")
        if not 0 <= temperature <= 2:
            raise ValueError("The temperature is a number from 0 to 2.")
        if n < 1:
            raise ValueError("The number of dogs is at least 1.")
        if not 0 <= seed < 2**53:
            raise ValueError("The seed is a whole number from 0 to 9007199254740991.")
        generator = torch.Generator().manual_seed(seed)
        dim = len(self.mean)
        rows = [(torch.randn(dim, generator=generator), torch.rand((), generator=generator)) for _ in range(n)]
        eps, u = (torch.stack(parts) for parts in zip(*rows))
        if prior == "normal":
            return temperature * eps
        wide = self.sd.argsort(descending=True, stable=True)[: self.mixture.centres.shape[1]]
        eps[:, wide] = self.mixture.draw(eps[:, wide], u)
        return self.from_coordinates(temperature * eps)

    def coordinates(self, z: Tensor) -> Tensor:
        """z [B, D] -> standard deviations along each direction [B, D]: what the sliders show."""
        return (z - self.mean) @ self.directions.T / self.sd

    def from_coordinates(self, c: Tensor) -> Tensor:
        """The inverse of `coordinates`."""
        return self.mean + (c * self.sd) @ self.directions

    def percentile(self, z: Tensor) -> Tensor:
        """z [B, D] -> the share [B] of training dogs that lie nearer to the mean dog than each, 0..1.

        By Mahalanobis distance. Were the latents Gaussian, its square would follow the chi-square law with D
        degrees of freedom; it has half that mean and far more spread, and its logarithm is nearly normal.
        """
        mean, sd = self.distance
        return torch.special.ndtr((self.coordinates(z).square().sum(1).log() - mean) / sd)

    def save(self, path: Path) -> None:
        tensors = {k: v for k, v in vars(self).items() if isinstance(v, Tensor)}
        tensors |= {f"mixture.{k}": v for k, v in vars(self.mixture).items()}
        tensors = {k: v.float().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}
        facts = {"names": json.dumps(self.names), "distance": json.dumps(self.distance)}
        write_whole(Path(path), to_bytes(tensors, facts))

    @classmethod
    def load(cls, path: Path) -> "Latents":
        """Raises ValueError if an entry is missing or has another shape, SafetensorError for a damaged file."""
        with safe_open(path, "pt") as file:
            tensors = {k: file.get_tensor(k).float() for k in file.keys()}
            facts = file.metadata() or {}
        names, distance = json.loads(facts.get("names", "[]")), json.loads(facts.get("distance", "null"))
        expected = {"mean", "directions", "sd", "effect", "kl"}
        expected |= {f"mixture.{field.name}" for field in fields(Mixture)}
        if set(tensors) != expected or not all(t.isfinite().all() for t in tensors.values()):
            raise ValueError(f"{path} holds {sorted(tensors)}, not finite {sorted(expected)}.")
        mixture = Mixture(**{field.name: tensors.pop(f"mixture.{field.name}") for field in fields(Mixture)})
        dim = tensors["mean"].numel()
        shapes = [t.shape == ((dim, dim) if k == "directions" else (dim,)) for k, t in tensors.items()]
        if not all(shapes) or not mixture.valid() or mixture.centres.shape[1] > dim:
            raise ValueError(f"{path} holds tensors of shapes that do not fit each other.")
        if not (tensors["sd"] > 0).all():
            raise ValueError(f"{path} holds standard deviations that are not above zero.")
        if not isinstance(names, list) or len(names) != dim:
            names = [f"direction {i + 1}" for i in range(dim)]
        if not isinstance(distance, list) or len(distance) != 2 or not distance[1] > 0:
            raise ValueError(f"{path} holds a distance that is not a mean and a standard deviation.")
        return cls(**tensors, names=names, mixture=mixture, distance=tuple(distance))


def distance_law(c: Tensor) -> tuple[float, float]:
    """c [N, D], the training dogs' coordinates -> `Latents.distance`."""
    logs = c.square().sum(1).clamp_min(1e-12).log()
    return logs.mean().item(), max(logs.std(correction=0).item(), 1e-6)


def principal_directions(mu: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """mu [N, D] -> mean [D], directions [D, D] (orthonormal rows, by falling variance), sd [D].

    With few pictures the covariance is drawn towards its diagonal mean (Ledoit-Wolf's idea with the
    plain weight D / (D + N)), so that no direction has a standard deviation of zero.
    """
    n, dim = mu.shape
    mu = mu.double()
    mean = mu.mean(dim=0)
    centred = mu - mean
    covariance = centred.T @ centred / max(n - 1, 1)
    shrink = dim / (dim + n)
    covariance = (1 - shrink) * covariance + shrink * covariance.diagonal().mean() * torch.eye(dim)
    variance, vectors = torch.linalg.eigh(covariance)
    order = variance.argsort(descending=True)
    # A fixed sign, the largest entry positive, so that a slider does not turn round between two fits.
    directions = vectors.T[order]
    largest = directions.abs().argmax(dim=1, keepdim=True)
    directions = directions * directions.gather(1, largest).sign()
    sd = variance[order].clamp_min(1e-8).sqrt()
    return mean.float(), directions.float(), sd.float()
