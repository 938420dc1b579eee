"""The first phase: encoder and decoder learn to give a picture back, at a price for each nat that it takes."""

from torch import Tensor, nn

from ..data.folder import Batch
from ..schedule import learning_rate
from .phase import Phase


class Likeness(Phase):
    """The preset's own loss (losses.py), for encoder and decoder."""

    name = "likeness"

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        criterion: nn.Module = self.trainer.criterion
        warm = min(1.0, self.trainer.images / self.recipe.kl_warmup) if self.recipe.kl_warmup else 1.0
        return criterion(self.trainer.vae, batch, self.recipe.kl * warm, self.accelerator.autocast)

    def is_over(self) -> bool:
        return self.trainer.images >= self.trainer.first_phase < self.trainer.total

    def learning_rate(self) -> float:
        return learning_rate(self.recipe.lr, self.recipe.warmup, self.trainer.images, self.trainer.first_phase)
