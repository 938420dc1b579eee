"""What every phase of training has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..config import Recipe
from ..data.folder import Batch

if TYPE_CHECKING:
    from ..trainer import Trainer


class Phase:
    """A part of a run with a loss of its own. The trainer owns the loop; a phase says what is to be made small.

    began: images of the run when the phase began. `trainer.total` and with it the phase's end may change as it goes.
    """

    name: str

    def __init__(self, trainer: Trainer, began: int = 0):
        self.trainer, self.began = trainer, began
        self.accelerator = trainer.accelerator

    @property
    def recipe(self) -> Recipe:
        """The trainer's, which a run by the clock changes as its length becomes known."""
        return self.trainer.recipe

    def begin(self) -> None:
        """Called once, when the run comes to this phase."""

    def go_on(self, facts: dict, tensors: dict[str, Tensor]) -> None:
        """Called once instead of `begin` when a run is resumed within this phase, after `state` was read.

        facts, tensors: of the checkpoint, what `facts` and `tensors` returned among them.
        """

    def is_over(self) -> bool:
        """Whether the next phase begins."""
        return False

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """What the VAE makes small, and its parts, unweighted. While the VAE is not trained, it has no gradient."""
        raise NotImplementedError

    def backward(self, total: Tensor, parts: int) -> None:
        """Gradients of the loss of one of `parts` parts of a batch."""
        if total.requires_grad:
            self.accelerator.backward(total / parts)

    def step(self) -> None:
        """Updates what the phase itself trains beside the VAE."""

    def learning_rate(self) -> float:
        """Of the VAE, at this point of the run."""
        raise NotImplementedError

    def state(self) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        """Modules and optimizers of the phase's own, for the checkpoint."""
        return {}, {}

    def facts(self) -> dict:
        """Plain facts of the phase's own, for the checkpoint."""
        return {}

    def tensors(self) -> dict[str, Tensor]:
        """Tensors of the phase's own that are in no module, for the checkpoint."""
        return {}

    def follow(self) -> None:
        """Called at each tick: brings up to date what the phase derives from the averaged weights."""

    def save(self) -> None:
        """Writes what of the phase is kept beside the weights. Raises OSError."""
