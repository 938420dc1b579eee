"""The seed's network, https://github.com/YashSax/DogVAE: five 5x5 convolutions down, their mirror up.

Kept as the yardstick. Two mistakes of the seed are put right: its last decoder blocks ran BatchNorm and
ReLU on three colour channels (here the two last convolutions are linear), and its reparametrisation drew
uniform noise (here it is normal: vae.py).
"""

from torch import Tensor, nn

CHANNELS = (32, 64, 128, 128, 128)
SIDE = 3  # of the innermost feature map: 127 -> 63 -> 31 -> 15 -> 7 -> 3


class ClassicEncoder(nn.Module):
    """x [B, 3, 127, 127] -> [B, outputs]."""

    def __init__(self, latent_dim: int, outputs: int):
        super().__init__()
        blocks: list[nn.Module] = []
        for before, after in zip((3, *CHANNELS), CHANNELS):
            blocks += [nn.Conv2d(before, after, 5, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.convs = nn.Sequential(*blocks)
        self.hidden = nn.Linear(CHANNELS[-1] * SIDE * SIDE, latent_dim)
        self.head = nn.Linear(latent_dim, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.hidden(self.convs(x).flatten(1)))


class ClassicDecoder(nn.Module):
    """z [B, latent_dim] -> [B, 3, 127, 127], unbounded; vae.decode clamps it."""

    def __init__(self, latent_dim: int):
        super().__init__()
        self.stem = nn.Linear(latent_dim, CHANNELS[-1] * SIDE * SIDE)
        blocks: list[nn.Module] = []
        for before, after in zip(CHANNELS[::-1], CHANNELS[-2::-1]):
            blocks += [nn.ConvTranspose2d(before, after, 5, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.convs = nn.Sequential(*blocks)
        self.to_rgb = nn.Sequential(
            nn.ConvTranspose2d(CHANNELS[0], 3, 5, stride=2, padding=1), nn.Conv2d(3, 3, 5, padding=2)
        )

    def forward(self, z: Tensor) -> Tensor:
        h = self.stem(z).unflatten(1, (CHANNELS[-1], SIDE, SIDE))
        return self.to_rgb(self.convs(h))

    def both(self, z: Tensor) -> tuple[None, Tensor]:
        """As `ResidualDecoder.both`: it draws once only."""
        return None, self(z)
