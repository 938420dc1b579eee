"""What each preset is trained to make small. Each loss returns (total, parts) with the parts unweighted."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.residual import shrink
from model.trunk import EfficientNetLite
from model.vae import DogVAE, kl_divergence

from .data.folder import Batch
from .features import perceptual_distance


class ClassicLoss(nn.Module):
    """The seed's: mean squared error of pixels 0..255, plus the KL (0.00025 a nat; none for an autoencoder)."""

    def forward(
        self, vae: DogVAE, batch: Batch, kl_weight: float, autocast: Callable = nullcontext
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """kl_weight: the price of a nat; autocast: makes the context that the network runs in."""
        with autocast():
            x_hat, mu, logvar, _ = vae(batch.x, batch.eps)
        mse = F.mse_loss(x_hat.float() * 127.5, batch.x * 127.5)
        if logvar is None:
            return mse, {"mse": mse}
        kl = kl_divergence(mu, logvar).sum(1).mean()
        return mse + kl_weight * kl, {"mse": mse, "kl": kl}


class PerceptualLoss(nn.Module):
    """L1 at full and at small size, feature distance on the frozen trunk, and KL.

    The trunk reads the whole picture, shrunk to the size that the encoder reads, and, where pictures are larger, a
    patch of that size in it, at another place each time. The whole picture is moved by a few pixels first, another way
    at each step: otherwise the decoder learns which pixels the trunk's stride of 2 samples, and draws a screen of dots.
    """

    L1, PERCEPTUAL, FINE, HALF, RANGE = 8.0, 1.0, 0.5, 2.0, 10.0
    REACH = 4  # pixels that a whole picture may be moved by, either way
    SMALL = 32  # pixels a side of the small size

    def __init__(self, trunk: EfficientNetLite, size: int):
        """size: pixels a side of what the trunk reads, `Config.encoder_size`."""
        super().__init__()
        self.trunk, self.size = trunk, size

    def trunk_features(self, x: Tensor) -> list[Tensor]:
        """x [B, 3, S, S] in [-1, 1] -> the trunk's five feature maps, with gradient."""
        # The trunk is kept in the precision it runs in: autocast would cast its weights anew at every step.
        with torch.autocast(x.device.type, enabled=False):
            return self.trunk(x.to(self.trunk.stem.weight.dtype, memory_format=torch.channels_last))

    def whole(self, x: Tensor, shift: tuple[int, int]) -> list[Tensor]:
        """Features of whole pictures, moved by `shift` pixels (each -REACH..REACH) and shrunk."""
        top, left = (self.REACH + s for s in shift)
        side = x.shape[-1]
        moved = F.pad(x, [self.REACH] * 4, mode="reflect")[:, :, top : top + side, left : left + side]
        return self.trunk_features(shrink(moved, self.size))

    def forward(
        self, vae: DogVAE, batch: Batch, kl_weight: float, autocast: Callable = nullcontext
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """kl_weight: the price of a nat; autocast: makes the context that the network runs in."""
        x, of_step = batch.x, torch.Generator().manual_seed(batch.step_seed)
        down, right = torch.randint(-self.REACH, self.REACH + 1, (2,), generator=of_step).tolist()
        with torch.no_grad():
            real = self.whole(x, (down, right))
        with autocast():  # the encoder reads what the loss compares with
            x_hat, mu, logvar, half = vae(x, batch.eps, real)
        x_hat = x_hat.float()
        l1 = (F.l1_loss(x_hat, x) + self._coarse_l1(x_hat, x)) / 2
        perceptual = perceptual_distance(self.whole(x_hat, (down, right)), real).mean()
        kl = kl_divergence(mu, logvar).sum(1).mean()
        half_loss, half_parts = self.of_half(half, x_hat)
        total = self.L1 * l1 + self.PERCEPTUAL * perceptual + kl_weight * kl + half_loss
        parts = {"l1": l1, "perceptual": perceptual, "kl": kl} | half_parts
        if x.shape[-1] > self.size:
            parts["fine"] = self._fine(x, x_hat, batch.sharp, torch.Generator().manual_seed(batch.seed))
            total = total + self.FINE * parts["fine"]
        return total, parts

    def _fine(self, x: Tensor, x_hat: Tensor, sharp: Tensor, generator: torch.Generator) -> Tensor:
        """Feature distance of patches at full size. Enlargements have no detail to compare: others take their place."""
        if not sharp.any():
            return x_hat.sum() * 0
        index = repeated(sharp).to(x.device)
        photos, drawn = patches(torch.cat([x[index], x_hat[index]]), self.size, generator, same=2).chunk(2)
        with torch.no_grad():
            real = self.trunk_features(photos)
        return perceptual_distance(self.trunk_features(drawn), real).mean() * sharp.float().mean()

    def of_range(self, x_hat: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """How far pictures go beyond -1..1: they are clamped when shown, so no other term holds such values back."""
        part = F.relu(x_hat.abs() - 1).mean()
        return self.RANGE * part, {"range": part}

    def of_half(self, half: Tensor | None, x_hat: Tensor) -> tuple[Tensor | float, dict[str, Tensor]]:
        """Keeps the decoder's picture of half the size [B, 3, S/2, S/2] equal to the whole one [B, 3, S, S], shrunk."""
        if half is None:
            return 0.0, {}
        part = F.l1_loss(half.float(), F.avg_pool2d(x_hat.detach(), 2))
        return self.HALF * part, {"half": part}

    def _coarse_l1(self, x_hat: Tensor, x: Tensor) -> Tensor:
        small = min(self.SMALL, x.shape[-1] // 4)
        return F.l1_loss(shrink(x_hat, small), shrink(x, small))

    def coarse(self, x: Tensor, x_hat: Tensor, real: list[Tensor], seen: list[Tensor]) -> tuple[Tensor, dict]:
        """The likeness of the second phase: the same, without L1 at full size and features at stride 2.

        256 numbers don't say where each hair lies; a loss that asks for it there gets the blurred average.
        real, seen: the trunk's features of x and x_hat, both [B, 3, S, S].
        """
        l1 = self._coarse_l1(x_hat, x)
        perceptual = perceptual_distance(seen[1:], real[1:]).mean()
        return self.L1 / 2 * l1 + self.PERCEPTUAL * perceptual, {"coarse l1": l1, "coarse perceptual": perceptual}


def repeated(chosen: Tensor) -> Tensor:
    """bool [B], not all False -> [B]: the numbers of those that are True, from the first again until there are B.

    So what follows has the same shape for every batch: for each new one, cuDNN plans its kernels anew.
    """
    numbers = chosen.nonzero().flatten()
    return numbers[torch.arange(len(chosen)) % len(numbers)]


def patches(x: Tensor, size: int, generator: torch.Generator, same: int = 1) -> Tensor:
    """A patch [N, 3, size, size] of each picture, at a place of its own.

    same: x consists of this many equal parts; the i-th pictures of all parts share a place.
    A patch may reach beyond the picture's edges, which are mirrored, by a quarter of its size at most. Of patches of
    half the picture's side that keep within it, one in 129 would hold its first column; so one in 15 does.
    """
    reach, room = size // 4, x.shape[-1] - size
    within, beyond = (torch.randint(n + 1, (len(x) // same, 2), generator=generator) for n in (room, 2 * reach))
    return windows(F.pad(x, [reach] * 4, mode="reflect"), (within + beyond).repeat(same, 1), size)


def windows(x: Tensor, corners: Tensor, size: int) -> Tensor:
    """Of each picture [N, C, H, W] the square [N, C, size, size] that begins at its corner: [N, 2], row and column.

    In two steps for all pictures: a slice of each would be many small kernels on a GPU, forward and backward.
    """
    rows, columns = (corners.to(x.device).T[:, :, None] + torch.arange(size, device=x.device)).unbind()
    x = x.gather(2, rows[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3]))
    return x.gather(3, columns[:, None, None, :].expand(-1, x.shape[1], size, -1))
