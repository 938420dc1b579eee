"""The network of the first DogVAE, https://github.com/YashSax/DogVAE: 5x5 convolutions down, their mirror up.

Kept as the yardstick: five of them for pictures of 127 pixels. The small models of the page's lesson are the same with
four, for 63 pixels, and half as many channels. Two mistakes of the seed are put right: its last decoder blocks ran
BatchNorm and ReLU on three colour channels (here the two last convolutions are linear), and its reparametrisation drew
uniform noise (here it is normal: vae.py).
"""

from torch import Tensor, nn

SIZES = (31, 63, 127, 255)  # of pictures that come down to SIDE
SIDE = 3  # of the innermost feature map: 127 -> 63 -> 31 -> 15 -> 7 -> 3


def channels(size: int, width: int) -> list[int]:
    """Of the feature maps of a picture of so many pixels a side, from the outermost on; width: of the first."""
    return [width * min(2**level, 4) for level in range(SIZES.index(size) + 3)]


class ClassicEncoder(nn.Module):
    """x [B, 3, S, S] -> [B, outputs]; S is one of SIZES."""

    def __init__(self, size: int, latent_dim: int, outputs: int, width: int):
        super().__init__()
        widths, blocks = channels(size, width), []
        for before, after in zip((3, *widths), widths):
            blocks += [nn.Conv2d(before, after, 5, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.convs = nn.Sequential(*blocks)
        self.hidden = nn.Linear(widths[-1] * SIDE * SIDE, latent_dim)
        self.head = nn.Linear(latent_dim, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.hidden(self.convs(x).flatten(1)))


class ClassicDecoder(nn.Module):
    """z [B, latent_dim] -> [B, 3, S, S], unbounded; vae.decode clamps it."""

    def __init__(self, size: int, latent_dim: int, width: int):
        super().__init__()
        widths, blocks = channels(size, width)[::-1], []
        self.stem = nn.Linear(latent_dim, widths[0] * SIDE * SIDE)
        for before, after in zip(widths, widths[1:]):
            blocks += [nn.ConvTranspose2d(before, after, 5, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.convs = nn.Sequential(*blocks)
        self.to_rgb = nn.Sequential(
            nn.ConvTranspose2d(widths[-1], 3, 5, stride=2, padding=1), nn.Conv2d(3, 3, 5, padding=2)
        )

    def forward(self, z: Tensor) -> Tensor:
        h = self.stem(z).unflatten(1, (-1, SIDE, SIDE))
        return self.to_rgb(self.convs(h))

    def both(self, z: Tensor) -> tuple[None, Tensor]:
        """As `ResidualDecoder.both`: it draws once only."""
        return None, self(z)
