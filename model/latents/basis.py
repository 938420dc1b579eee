"""Where real dogs lie in latent space: round which mean, along which directions, how far.

A slider is one of these directions. Everything here is fitted to the training set's latents by training.fit.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Basis:
    """Coordinates for latents: standard deviations of real dogs from their mean, along orthonormal directions.

    mean [D]; directions [D, D], rows orthonormal, ordered by effect; sd [D], the standard deviation of
    real dogs along each; effect [D], the mean perceptual change of a picture between -2 and +2 sd;
    kl [D], mean nats of each raw latent dimension over the training set (0 = dead; autoencoder: variance);
    names, one for each direction; distance, the mean and the standard deviation of the logarithm of the
    training dogs' squared distance from the mean, in coordinates.
    """

    mean: Tensor
    directions: Tensor
    sd: Tensor
    effect: Tensor
    kl: Tensor
    names: list[str]
    distance: tuple[float, float]

    @property
    def dim(self) -> int:
        return len(self.mean)

    def coordinates(self, z: Tensor) -> Tensor:
        """z [B, D] -> standard deviations along each direction [B, D]: what the sliders show."""
        return (z - self.mean) @ self.directions.T / self.sd

    def from_coordinates(self, c: Tensor) -> Tensor:
        """The inverse of `coordinates`."""
        return self.mean + (c * self.sd) @ self.directions

    def widest(self, count: int) -> Tensor:
        """The indices [count] of the directions along which real dogs vary most, by falling sd."""
        return self.sd.argsort(descending=True, stable=True)[:count]

    def percentile(self, z: Tensor) -> Tensor:
        """z [B, D] -> the share [B] of training dogs that lie nearer to the mean dog than each, 0..1.

        By Mahalanobis distance. Were the latents Gaussian, its square would follow the chi-square law with D
        degrees of freedom; it has half that mean and far more spread, and its logarithm is nearly normal.
        """
        mean, sd = self.distance
        return torch.special.ndtr((self.coordinates(z).square().sum(1).log() - mean) / sd)

    @classmethod
    def from_file(cls, tensors: dict[str, Tensor], names: object, distance: object) -> "Basis":
        """tensors: mean, directions, sd, effect and kl. Names that do not fit are replaced by numbers.

        Raises ValueError for tensors that do not fit each other.
        """
        dim = tensors["mean"].numel()
        if not all(t.shape == ((dim, dim) if k == "directions" else (dim,)) for k, t in tensors.items()):
            raise ValueError("tensors of shapes that do not fit each other")
        if not (tensors["sd"] > 0).all():
            raise ValueError("standard deviations that are not above zero")
        if not isinstance(names, list) or len(names) != dim or not all(isinstance(name, str) for name in names):
            names = numbered(dim)
        if not isinstance(distance, list) or len(distance) != 2 or not all(type(v) in (int, float) for v in distance):
            raise ValueError("a distance that is not a mean and a standard deviation")
        if not distance[1] > 0:
            raise ValueError("a distance whose standard deviation is not above zero")
        return cls(**tensors, names=names, distance=(distance[0], distance[1]))


def numbered(dim: int) -> list[str]:
    """Names for directions that have none yet."""
    return [f"direction {i + 1}" for i in range(dim)]


def distance_law(c: Tensor) -> tuple[float, float]:
    """c [N, D], the training dogs' coordinates -> `Basis.distance`."""
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
