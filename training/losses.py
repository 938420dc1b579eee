"""What each preset is trained to make small. Each loss returns (total, parts) with the parts unweighted."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.residual import shrink
from model.trunk import EfficientNetLite
from model.vae import kl_divergence

from .features import perceptual_distance


class ClassicLoss(nn.Module):
    """The seed's: mean squared error of pixels 0..255, plus 0.00025 nats of KL (none for an autoencoder)."""

    KL = 0.00025

    def features(self, x: Tensor) -> None:
        return None

    def forward(self, x, x_hat, mu, logvar, kl_weight: float = 1.0, shift=(0, 0)) -> tuple[Tensor, dict[str, Tensor]]:
        mse = F.mse_loss(x_hat.float() * 127.5, x * 127.5)
        if logvar is None:
            return mse, {"mse": mse}
        kl = kl_divergence(mu, logvar).sum(1).mean()
        return mse + kl_weight * self.KL * kl, {"mse": mse, "kl": kl}


class PerceptualLoss(nn.Module):
    """L1 at full and small size, feature distance on the frozen trunk, and KL.

    The trunk looks twice: at the whole picture at 128 px, and at a patch of 128 px at full size, at another place each
    time. Both pictures are moved by the same few pixels before it looks at the whole, another way at each step:
    without that, the decoder learns where the trunk's stride of 2 samples, and pleases it with a screen of dots.
    """

    L1, PERCEPTUAL, FINE, HALF, KL = 8.0, 1.0, 0.5, 2.0, 0.002
    REACH = 4  # pixels that a shift may be, either way
    LOOK = 128  # pixels a side of what the trunk looks at

    def __init__(self, trunk: EfficientNetLite):
        super().__init__()
        self.trunk = trunk

    @property
    def dtype(self) -> torch.dtype:
        return self.trunk.stem.weight.dtype

    def look(self, x: Tensor) -> list[Tensor]:
        """x [B, 3, S, S] in [-1, 1] -> the trunk's five feature maps, with gradient."""
        # The trunk is kept in the precision it runs in: autocast would cast its weights anew at every step.
        with torch.autocast(x.device.type, enabled=False):
            return self.trunk(x.to(self.dtype, memory_format=torch.channels_last))

    def whole(self, x: Tensor, shift: tuple[int, int]) -> Tensor:
        """Pictures as the trunk sees them whole: moved by `shift` pixels, each -REACH..REACH, and shrunk to LOOK."""
        top, left = (self.REACH + s for s in shift)
        height, width = x.shape[-2:]
        moved = F.pad(x, [self.REACH] * 4, mode="reflect")[:, :, top : top + height, left : left + width]
        return shrink(moved, min(self.LOOK, width))

    @torch.no_grad()
    def features(self, x: Tensor, shift: tuple[int, int]) -> list[Tensor]:
        """The trunk's features of the whole pictures, for the encoder and to compare with."""
        return self.look(self.whole(x, shift))

    def forward(self, x, x_hat, mu, logvar, half, real, shift, patch, sharp, kl_weight: float = 1.0):
        """real: `features(x, shift)`; patch: top and left of the fine look; sharp [B]: the pictures that have hair."""
        x_hat, smaller = x_hat.float(), x.shape[-1] // 32
        l1 = (F.l1_loss(x_hat, x) + F.l1_loss(F.avg_pool2d(x_hat, smaller), F.avg_pool2d(x, smaller))) / 2
        perceptual = perceptual_distance(self.look(self.whole(x_hat, shift)), real).mean()
        kl = kl_divergence(mu, logvar).sum(1).mean()
        total = self.L1 * l1 + self.PERCEPTUAL * perceptual + kl_weight * self.KL * kl
        parts = {"l1": l1, "perceptual": perceptual, "kl": kl}
        if x.shape[-1] > self.LOOK and sharp.any():
            top, left = patch
            at = (sharp, slice(None), slice(top, top + self.LOOK), slice(left, left + self.LOOK))
            with torch.no_grad():
                real = self.look(x[at])
            parts["fine"] = perceptual_distance(self.look(x_hat[at]), real).sum() / len(x)
            total = total + self.FINE * parts["fine"]
        if half is not None:
            parts["half"] = F.l1_loss(half.float(), F.avg_pool2d(x_hat.detach(), 2))
            total = total + self.HALF * parts["half"]
        return total, parts
