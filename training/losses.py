"""What each preset is trained to make small. Each loss returns (total, parts) with the parts unweighted."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    """L1 at full and quarter size, feature distance on the frozen trunk at strides 2 to 32, and KL.

    Both pictures are shifted by the same few pixels before the trunk looks at them, another shift at each
    step. Without that, the decoder learns where the trunk's stride of 2 samples, and pleases it with a
    screen of dots.
    """

    L1, PERCEPTUAL, KL = 8.0, 1.0, 0.002
    REACH = 4  # pixels that a shift may be, either way

    def __init__(self, trunk: EfficientNetLite):
        super().__init__()
        self.trunk = trunk

    @property
    def dtype(self) -> torch.dtype:
        return self.trunk.stem.weight.dtype

    @torch.no_grad()
    def features(self, x: Tensor) -> list[Tensor]:
        """x [B, 3, S, S] in [-1, 1] -> the trunk's five feature maps, for the encoder."""
        return self.look(x)

    def look(self, x: Tensor) -> list[Tensor]:
        """The same with gradient."""
        # The trunk is kept in the precision it runs in: autocast would cast its weights anew at every step.
        with torch.autocast(x.device.type, enabled=False):
            return self.trunk(x.to(self.dtype, memory_format=torch.channels_last))

    def _shifted(self, x: Tensor, shift: tuple[int, int]) -> Tensor:
        top, left = (self.REACH + s for s in shift)
        height, width = x.shape[-2:]
        return F.pad(x, [self.REACH] * 4, mode="reflect")[:, :, top : top + height, left : left + width]

    def forward(self, x, x_hat, mu, logvar, kl_weight: float = 1.0, shift=(0, 0)) -> tuple[Tensor, dict[str, Tensor]]:
        """shift: pixels down and right, each -REACH..REACH."""
        x_hat = x_hat.float()
        l1 = (F.l1_loss(x_hat, x) + F.l1_loss(F.avg_pool2d(x_hat, 4), F.avg_pool2d(x, 4))) / 2
        with torch.no_grad():
            real = self.look(self._shifted(x, shift))
        perceptual = perceptual_distance(self.look(self._shifted(x_hat, shift)), real).mean()
        kl = kl_divergence(mu, logvar).sum(1).mean()
        total = self.L1 * l1 + self.PERCEPTUAL * perceptual + kl_weight * self.KL * kl
        return total, {"l1": l1, "perceptual": perceptual, "kl": kl}

    def coarse(self, x: Tensor, x_hat: Tensor, real: list[Tensor], seen: list[Tensor]) -> tuple[Tensor, dict]:
        """The likeness of the second phase: the same, without L1 at full size and features at stride 2.

        256 numbers don't say where each hair lies; a loss that asks for it there gets the blurred average.
        real, seen: the trunk's features of x and x_hat, both [B, 3, S, S].
        """
        l1 = F.l1_loss(F.avg_pool2d(x_hat, 4), F.avg_pool2d(x, 4))
        perceptual = perceptual_distance(seen[1:], real[1:]).mean()
        return self.L1 / 2 * l1 + self.PERCEPTUAL * perceptual, {"coarse l1": l1, "coarse perceptual": perceptual}
