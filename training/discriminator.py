"""The second phase: a critic that asks whether a picture looks real.

A projected discriminator (Sauer et al. 2021, arXiv:2111.01007): small heads on the frozen trunk's
features, several strides, hinge loss, and the same differentiable augmentation of real and drawn pictures
(Zhao et al. 2020, arXiv:2006.10738), without which it would learn 7,699 dogs by heart.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from model.trunk import unit_normalize

CHANNELS = (24, 40, 112, 320)  # of the trunk at strides 4, 8, 16 and 32: the finest, 2, would judge noise


def head(channels: int, width: int = 64) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(channels, width, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, 1, 3, padding=1)),
    )


class Discriminator(nn.Module):
    """The trunk's five feature maps -> one map of logits for each of the strides 4 to 32."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList(head(channels) for channels in CHANNELS)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        # Unit vectors times sqrt(C): every channel about 1, whatever the trunk's own scale at that stride.
        scaled = [unit_normalize(f.float()) * f.shape[1] ** 0.5 for f in features[1:]]
        return [head(f) for head, f in zip(self.heads, scaled)]


def critic_loss(real: list[Tensor], drawn: list[Tensor]) -> Tensor:
    """The hinge loss of the discriminator: logits above 1 for real pictures, below -1 for drawn ones."""
    return sum(F.relu(1 - r).mean() + F.relu(1 + d).mean() for r, d in zip(real, drawn)) / len(real)


def realism_loss(drawn: list[Tensor]) -> Tensor:
    """What the decoder makes small: the negative mean logit."""
    return -sum(d.mean() for d in drawn) / len(drawn)


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """DiffAugment: brightness, saturation, contrast, a shift by up to 1/8, a hole of 3/8; [B, 3, S, S].

    Differentiable; the same generator state gives the same augmentation.
    """
    count, _, size, _ = x.shape

    def uniform(low: float, high: float) -> Tensor:
        values = torch.rand(count, 1, 1, 1, generator=generator) * (high - low) + low
        return values.to(x.device)

    x = x + uniform(-0.5, 0.5)
    grey = x.mean(dim=1, keepdim=True)
    x = (x - grey) * uniform(0.5, 1.5) + grey
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - middle) * uniform(0.75, 1.25) + middle

    reach = size // 8
    shifts = torch.randint(-reach, reach + 1, (count, 2), generator=generator).tolist()
    padded = F.pad(x, [reach] * 4)
    x = torch.stack(
        [p[:, reach + dy : reach + dy + size, reach + dx : reach + dx + size] for p, (dy, dx) in zip(padded, shifts)]
    )

    hole = size * 3 // 8
    corners = torch.randint(-hole // 2, size - hole // 2, (count, 2), generator=generator).to(x.device)
    along = torch.arange(size, device=x.device)
    rows = (along >= corners[:, :1]) & (along < corners[:, :1] + hole)
    columns = (along >= corners[:, 1:]) & (along < corners[:, 1:] + hole)
    return x * ~(rows[:, None, :, None] & columns[:, None, None, :])


class Critic:
    """The discriminator at work: what it says of drawn pictures, and how it learns from them."""

    LR, BETAS, CLIP = 2e-4, (0.0, 0.99), 10.0

    def __init__(self, look, accelerator):
        """look: pictures -> the trunk's features, with gradient (`PerceptualLoss.look`)."""
        self.look, self.accelerator = look, accelerator
        heads = Discriminator().to(accelerator.device)
        optimizer = torch.optim.Adam(heads.parameters(), lr=self.LR, betas=self.BETAS)
        self.heads, self.optimizer = accelerator.prepare(heads, optimizer)

    def judge(self, x: Tensor, drawn: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Real x and drawn pictures -> the decoder's loss (graph to `drawn`) and the critic's (graph to its heads)."""
        with torch.no_grad():
            real = self.look(augment(x, generator))
        seen = self.look(augment(drawn, generator))
        realism = realism_loss(self.accelerator.unwrap_model(self.heads)(seen))
        # One forward of real and drawn together, without the graph behind the features.
        both = [torch.cat([r, s.detach()]) for r, s in zip(real, seen)]
        logits = [(logit[: len(x)], logit[len(x) :]) for logit in self.heads(both)]
        return realism, critic_loss(*zip(*logits))

    def learn(self, loss: Tensor) -> None:
        """A step of the heads, unless its gradient is not finite."""
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        if torch.isfinite(self.accelerator.clip_grad_norm_(self.heads.parameters(), self.CLIP)):
            self.optimizer.step()


def image_gradient(
    drawn: Tensor, rebuilt: int, likeness: Tensor, realism: Tensor, weight: float
) -> tuple[Tensor, Tensor]:
    """The gradient of likeness + lambda * realism with respect to the drawn pictures [B, 3, S, S], and lambda.

    lambda makes the critic's gradient `weight` times as long as the likeness's on the first `rebuilt`
    pictures, the ones that have both (Esser et al. 2021, arXiv:2012.09841, there at the last layer): neither
    a weak nor a strong critic can then take over.
    """
    pull = torch.autograd.grad(likeness, drawn)[0]
    push = torch.autograd.grad(realism, drawn)[0]
    scale = weight * pull[:rebuilt].norm() / push[:rebuilt].norm().clamp_min(1e-8)
    return pull + scale * push, scale
