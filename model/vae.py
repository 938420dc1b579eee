"""The variational autoencoder: a picture -> a Gaussian over 256 numbers -> a picture.

Kingma & Welling 2013, arXiv:1312.6114. One class for all presets; `Config` says which network it holds.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from .classic import SIZES, ClassicDecoder, ClassicEncoder
from .crop import FRAMES
from .latents import Breeds, Latents, Looks
from .nearer import STEPS, nearer_steps
from .residual import ResidualDecoder, TrunkEncoder

FORMAT = 1  # of config.json; a newer one is refused with a sentence
VERSION = "0.2.0"  # of this code (CHANGELOG.md)


@dataclass(frozen=True)
class Config:
    """What rebuilds a model; stored as config.json beside its weights."""

    preset: str = "dogvae"
    network: str = "residual"  # or "classic", that of the first DogVAE
    image_size: int = 256  # pixels a side; residual: a multiple of 32, classic: 31, 63, 127 or 255
    latent_dim: int = 256
    variational: bool = True  # False: a plain autoencoder, encode returns no logvar
    encoder_width: int = 256  # residual only, as are the next four
    encoder_size: int = 128  # pixels a side of what the encoder reads: the picture, shrunk by a whole number
    decoder_widths: tuple[int, ...] = (320, 384, 256, 96, 48, 32)  # channels at 4, 8 .. 128 px of a picture of 256
    decoder_blocks: tuple[int, ...] = (1, 1, 2, 2, 1, 0)
    draws_half: bool = True  # the decoder can stop at a picture of half the size
    classic_width: int = 32  # classic only: channels of the largest feature map
    frame: str = "eyes"  # how the pictures that it learned were cut out of photos (model/crop.py): "eyes" or "box"
    format: int = FORMAT
    kl: float | None = field(default=None, compare=False)  # the price of a nat in its training; for people to read
    version: str = field(default=VERSION, compare=False)  # of the code that trained it; for people to read

    def __post_init__(self):
        if self.network not in ("residual", "classic"):
            raise ValueError(f"The network {self.network!r} is unknown; use 'residual' or 'classic'.")
        if self.frame not in FRAMES:
            raise ValueError(f"The frame {self.frame!r} is unknown; use 'eyes' or 'box'.")
        if self.network == "classic" and self.image_size not in SIZES:
            raise ValueError("The classic network works on pictures of 31, 63, 127 or 255 pixels only.")
        if self.network == "residual" and self.image_size % 32:
            raise ValueError("The residual network needs an image_size that is a multiple of 32.")
        widths = (self.encoder_width, *self.decoder_widths)
        sizes = (self.image_size, self.encoder_size, self.latent_dim, self.classic_width, *widths)
        if not all(type(n) is int and 0 < n <= 1024 for n in sizes):
            raise ValueError("The sizes and widths in the config are whole numbers from 1 to 1024.")
        if not all(type(n) is int and 0 <= n <= 8 for n in self.decoder_blocks):
            raise ValueError("The decoder_blocks in the config are whole numbers from 0 to 8.")
        if not isinstance(self.version, str):
            raise ValueError("The version in the config is a text.")
        if not (self.kl is None or type(self.kl) in (int, float) and self.kl >= 0):
            raise ValueError("The kl in the config is a price of 0 or more.")
        if self.network == "residual":
            self._check_residual(widths)

    def _check_residual(self, widths: tuple[int, ...]) -> None:
        levels = len(self.decoder_widths)
        if levels < 5 or len(self.decoder_blocks) != levels or any(width % 8 for width in widths):
            raise ValueError(
                "The residual network has at least 5 decoder_widths, multiples of 8, and as many decoder_blocks."
            )
        if self.encoder_size % 32 or self.image_size % 2**levels:
            raise ValueError(
                f"The residual network of {levels} levels needs an image_size that is a multiple of {2**levels}, "
                "and an encoder_size that is a multiple of 32."
            )
        if self.image_size % self.encoder_size:
            raise ValueError("The image_size in the config is a multiple of its encoder_size.")

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> "Config":
        """Raises ValueError, in one plain sentence, for what this version can't rebuild."""
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            found = values.get("format") if isinstance(values, dict) else None
            raise ValueError(f"The config has format {found!r}, and this version of DogVAE reads format {FORMAT}.")
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"The config has unknown entries: {', '.join(unknown)}.")
        old: dict = {"frame": "box"}  # what 0.1 made
        if values.get("network") != "classic":
            old |= {"encoder_size": values.get("image_size"), "draws_half": False}
        values = old | values
        values = {"version": "0.0"} | values  # before it was noted
        entries: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**entries)


PRESETS = {
    "dogvae": Config(),
    "classic": Config("classic", network="classic", image_size=127),
    "vae": Config("vae", network="classic", image_size=127),
    "autoencoder": Config("autoencoder", network="classic", image_size=127, variational=False),
    "small": Config("small", network="classic", image_size=63, latent_dim=128, classic_width=16),
}


class DogVAE(nn.Module):
    """encode, decode and what lies between. See `model.load` for one that is trained."""

    def __init__(self, config: Config = PRESETS["dogvae"]):
        super().__init__()
        self.config = config
        outputs = config.latent_dim * (2 if config.variational else 1)
        self.encoder: ClassicEncoder | TrunkEncoder
        self.decoder: ClassicDecoder | ResidualDecoder
        if config.network == "classic":
            self.encoder = ClassicEncoder(config.image_size, config.latent_dim, outputs, config.classic_width)
            self.decoder = ClassicDecoder(config.image_size, config.latent_dim, config.classic_width)
        else:
            self.encoder = TrunkEncoder(config.encoder_size, outputs, config.encoder_width)
            self.decoder = ResidualDecoder(
                config.image_size, config.latent_dim, config.decoder_widths, config.decoder_blocks, config.draws_half
            )
        # None only until they are fitted: whatever `load` returns has them.
        self.latents: Latents = None  # type: ignore[assignment]
        self.looks: Looks | None = None  # training.looks fits them; weights do without
        self.breeds: Breeds | None = None
        self.source = "freshly initialised"
        self.weights_id = "0" * 12  # first 12 hex digits of the sha256 of model.safetensors

    @property
    def device(self) -> torch.device:
        return next(self.decoder.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.decoder.parameters()).dtype

    def gaussian(self, outputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """The encoder's outputs -> mu, logvar, each [B, latent_dim]; logvar is clamped to keep exp finite."""
        if not self.config.variational:
            return outputs, None
        mu, logvar = outputs.chunk(2, dim=1)
        return mu, logvar.clamp(-20, 10)

    def forward(self, x: Tensor, eps: Tensor, features: list[Tensor] | None = None):
        """Training's way through: x_hat unclamped, mu, logvar (None for an autoencoder), and the decoder's picture of
        half the size (None where it draws none).

        eps [B, latent_dim]: the noise of the draw z = mu + sigma * eps, through which gradients pass.
        features: the trunk's features of x, where the loss has computed them already.
        """
        if features is None:
            outputs = self.encoder(x)
        else:
            assert isinstance(self.encoder, TrunkEncoder)
            outputs = self.encoder.from_features(features)
        mu, logvar = self.gaussian(outputs.float())
        z = reparametrize(mu, logvar, eps)
        half, x_hat = self.decoder.both(z)
        return x_hat, mu, logvar, half

    @torch.inference_mode()
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Pictures -> the Gaussians that they stand for.

        x: float32 [B, 3, S, S] in [-1, 1], S = config.image_size, on any device.
        Returns mu and logvar, float32 [B, latent_dim] on the model's device; logvar is None for an autoencoder.
        Raises ValueError for another shape, type or range.
        """
        size = self.config.image_size
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, size, size):
            raise ValueError(f"encode takes pictures of shape [B, 3, {size}, {size}], not {list(x.shape)}.")
        if x.dtype != torch.float32:
            raise ValueError(f"encode takes float32, not {x.dtype}.")
        if not (x.abs() <= 1.001).all():  # NaN fails this too
            raise ValueError("encode takes finite values between -1 and 1.")
        x = x.to(self.device, self.dtype, memory_format=torch.channels_last)
        return self.gaussian(self.encoder(x).float())

    @torch.inference_mode()
    def decode(self, z: Tensor, half: bool = False) -> Tensor:
        """Latents [B, latent_dim], any device -> pictures, float32 [B, 3, S, S] in [-1, 1].

        half: of half the size, which costs less, where the decoder can draw them. Raises ValueError for another shape.
        """
        if z.ndim != 2 or z.shape[1] != self.config.latent_dim:
            raise ValueError(f"decode takes latents of shape [B, {self.config.latent_dim}], not {list(z.shape)}.")
        z = z.to(self.device, self.dtype)
        x = self.decoder(z, half) if self.config.network == "residual" else self.decoder(z)
        return x.float().clamp(-1, 1)

    def nearer(self, x: Tensor, mu: Tensor, steps: int = STEPS) -> Tensor:
        """mu [B, latent_dim], as `encode` answered the pictures x -> z [B, latent_dim] that draws them more closely.

        By descent on z (`nearer_steps`, which can be followed step by step); it ends early where it no longer helps.
        """
        answers = [mu.to(self.device), *(z for _, z in self.nearer_steps(x, mu, steps))]
        return answers[-1]

    nearer_steps = nearer_steps


def reparametrize(mu: Tensor, logvar: Tensor | None, eps: Tensor) -> Tensor:
    """z = mu + sigma * eps with eps ~ N(0, I); mu itself for an autoencoder. All [B, latent_dim]."""
    return mu if logvar is None else mu + torch.exp(0.5 * logvar) * eps


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)) of each latent, in nats: [B, latent_dim] (Kingma & Welling, appendix B)."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)
