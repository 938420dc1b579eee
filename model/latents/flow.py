"""A prior that flows: a small network carries noise to where real dogs lie, step by step.

The network says for each point and each time from 0 to 1 which way to go (flow matching: Lipman et al. 2023,
arXiv:2210.02747). training/flow.py teaches it. A mixture of Gaussians knows sixteen kinds of dogs and draws without
heed within each; this one knows which fur goes with which ears.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .basis import Basis
from .priors import noise

# Of Heun's method, two looks at the network each. With another number every seed would draw a slightly different dog:
# 8 lead 0.007 of a standard deviation away from where 64 do, on average.
STEPS = 8
FREQUENCIES = 16  # of the waves that tell the network the time
AT_ONCE = 256  # dogs that go together, so that a thousand need no more memory


class Field(nn.Module):
    """Which way to go: points [N, P] and times [N] or [1], 0 for noise and 1 for dogs -> velocities [N, P]."""

    def __init__(self, dim: int, width: int, depth: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.points, self.times = nn.Linear(dim, width), nn.Linear(2 * FREQUENCIES, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width)
            )
            for _ in range(depth)
        )
        self.velocity = nn.Linear(width, dim)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        waves = math.pi * t[:, None] * torch.arange(1, FREQUENCIES + 1, dtype=x.dtype)
        h = self.points(x) + self.times(torch.cat([waves.sin(), waves.cos()], 1))
        for block in self.blocks:
            h = h + block(h)
        return self.velocity(h)


@dataclass(frozen=True)
class Flow:
    """Coordinates along the P widest directions come from the field, those along the others are Gaussian.

    scale [D], what both are multiplied by at the end; field in float64, so that every machine draws the same dogs.
    """

    basis: Basis
    scale: Tensor
    field: Field

    def draw(self, n: int, temperature: float, seed: int) -> Tensor:
        return self.basis.from_coordinates((temperature * self.coordinates(n, seed, torch.float64)).float())

    def coordinates(
        self, n: int, seed: int, dtype: torch.dtype = torch.float32, rows: Tensor | None = None
    ) -> Tensor:
        """As `Source` says, always computed in float64."""
        c = noise(n, self.basis.dim, seed)[0].double()
        if rows is not None:
            c = c[rows]
        wide = self.basis.widest(self.field.points.in_features)
        c[:, wide] = torch.cat([self.carry(eps) for eps in c[:, wide].split(AT_ONCE)])
        return (c * self.scale.double()).to(dtype)

    @torch.no_grad()
    def carry(self, x: Tensor) -> Tensor:
        """Noise [N, P] ~ N(0, 1), float64 -> where it comes to lie [N, P]."""
        for k in range(STEPS):
            now, then = torch.tensor([[k], [k + 1]], dtype=x.dtype) / STEPS
            first = self.field(x, now)
            second = self.field(x + first / STEPS, then)
            x = x + (first + second) / (2 * STEPS)
        return x

    def tensors(self) -> dict[str, Tensor]:
        """The field in float16, which is all that it holds (`of`)."""
        return {"scale": self.scale} | {key: t.half() for key, t in self.field.state_dict().items()}

    @classmethod
    def of(cls, basis: Basis, scale: Tensor, weights: dict[str, Tensor]) -> "Flow":
        """weights of a Field, rounded to float16 here: a flow just fitted draws the same dogs as one from a file.

        Raises ValueError, KeyError or TypeError for what does not fit.
        """
        width, dim = len(weights["times.bias"]), len(weights["velocity.bias"])
        depth = len({key.split(".")[1] for key in weights if key.startswith("blocks.")})
        with torch.device("meta"):  # without memory, of whatever size a file claims, and without random numbers
            field = Field(dim, width, depth)
        shapes = {key: t.shape for key, t in field.state_dict().items()}
        if scale.shape != (basis.dim,) or dim > basis.dim or shapes != {key: t.shape for key, t in weights.items()}:
            raise ValueError("a flow whose parts do not fit each other")
        rounded = {key: t.half().double() for key, t in weights.items()}
        if not all(t.isfinite().all() for t in rounded.values()):
            raise ValueError("a flow with numbers that float16 can't hold")
        field.load_state_dict(rounded, assign=True)
        return cls(basis, scale, field.eval().requires_grad_(False))
