"""The critic of the second phase: what it says of drawn pictures, how it learns from them, and how it is kept."""

from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from model.files import write_whole
from model.residual import shrink

from .discriminator import Augmentation, Discriminator, critic_loss, realism_loss
from .losses import PerceptualLoss, patches, repeated
from .processes import average_gradients

NAME = "critic.safetensors"


@dataclass
class Verdict:
    """What the critic says of drawn pictures, and what the trunk saw of them and of the real ones."""

    whole: Tensor  # the decoder's loss for whole pictures, with graph to the drawn ones
    fine: Tensor  # the same for patches at full size; zero where there are none
    real: list[Tensor]  # features of whole pictures
    seen: list[Tensor]  # features of whole pictures, with graph to the drawn ones


class Critic:
    """Two discriminators: one sees whole pictures, shrunk to the size that the encoder reads, the other patches of that
    size at full resolution.

    The second one sees only photos with detail of their own (`sharp`); from enlargements it would learn their blur.
    """

    BETAS, CLIP = (0.0, 0.99), 10.0

    def __init__(self, criterion: PerceptualLoss, accelerator: Accelerator, lr: float):
        """criterion: the loss whose trunk the discriminators read."""
        self.trunk_features, self.size, self.accelerator = criterion.trunk_features, criterion.size, accelerator
        self.networks = nn.ModuleDict({"whole": Discriminator(), "fine": Discriminator()}).to(accelerator.device)
        trained = [p for p in self.networks.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=lr, betas=self.BETAS)
        self.optimizer = accelerator.prepare(optimizer)
        self.loss = torch.zeros(())  # of the discriminators themselves, from the last pictures judged

    def judge(self, x: Tensor, drawn: Tensor, sharp: Tensor, generator: torch.Generator) -> Verdict:
        """Real x [B, 3, S, S] and drawn pictures [N, 3, S, S], the first of which are reconstructions of the first x.

        sharp [B]: the photos that the discriminator of patches may see.
        """
        size, count = self.size, max(len(x), len(drawn))
        augment = Augmentation(count, size, generator, x.device)
        whole, self.loss, real, seen = self._compare("whole", augment(shrink(x, size)), augment(shrink(drawn, size)))
        fine = torch.zeros((), device=x.device)
        if x.shape[-1] > size and sharp.any():
            augment = Augmentation(count, size, generator, x.device)
            photos = augment(patches(x[repeated(sharp).to(x.device)], size, generator))
            fine, loss, _, _ = self._compare("fine", photos, augment(patches(drawn, size, generator)))
            self.loss = self.loss + loss
        return Verdict(whole, fine, real, seen)

    def _compare(self, name: str, x: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        """What one discriminator says: the decoder's loss, its own loss, and the features of both."""
        with torch.no_grad():
            real = self.trunk_features(x)
        seen, discriminator = self.trunk_features(drawn), self.networks[name]
        assert isinstance(discriminator, Discriminator)
        with self.accelerator.autocast():
            discriminator.heads.requires_grad_(False)  # the decoder's loss trains the decoder alone
            mixed = discriminator.mix(seen)
            realism = realism_loss(discriminator.judge(mixed))
            discriminator.heads.requires_grad_(True)
            # Real and drawn together, without the graph behind them.
            both = [torch.cat([r, m.detach()]) for r, m in zip(discriminator.mix(real), mixed)]
            logits = discriminator.judge(both)
            loss = critic_loss([logit[: len(x)] for logit in logits], [logit[len(x) :] for logit in logits])
        return realism, loss, real, seen

    def backward(self, parts: int = 1) -> None:
        """Gradients for the discriminators, from the pictures judged last: one of `parts` parts of a batch."""
        self.accelerator.backward(self.loss / parts)

    def step(self) -> None:
        """One update of the discriminators, unless the gradient is not finite."""
        trained = [p for p in self.networks.parameters() if p.requires_grad]
        if self.accelerator.num_processes > 1:  # one whose photos are all enlargements sends zeros
            for parameter in trained:
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        average_gradients(self.accelerator, self.networks)
        if torch.isfinite(self.accelerator.clip_grad_norm_(trained, self.CLIP)):
            self.optimizer.step()
        self.optimizer.zero_grad()


def _learned(critic: Critic) -> dict[str, Tensor]:
    """What a critic learned. Its mixing weights are fixed and follow from a seed."""
    return {k: v for k, v in critic.networks.state_dict().items() if ".heads." in k}


def save_critic(critic: Critic, folder: Path) -> None:
    """What the critic learned -> FOLDER/critic.safetensors, about 1 MB in half precision, for `load_critic`."""
    write_whole(folder / NAME, to_bytes({k: v.half().cpu().contiguous() for k, v in _learned(critic).items()}))


def load_critic(critic: Critic, folder: str | Path) -> bool:
    """Fills the critic with what an earlier one learned, stored beside its weights. False where there is none that
    fits: then it begins anew, and says so."""
    path = Path(folder) / NAME
    try:
        kept = {k: v.float() for k, v in load_file(path).items()}
    except (SafetensorError, OSError):
        print(f"There is no critic that can be read in {path}; a new one begins.")
        return False
    known = _learned(critic)
    if kept.keys() != known.keys() or any(kept[k].shape != v.shape for k, v in known.items()):
        print(f"The critic in {path} has other widths; a new one begins.")
        return False
    critic.networks.load_state_dict(kept, strict=False)
    return True
