"""The second phase: a critic judges what the decoder draws, of photos and at random."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from model.latents import Basis, Mixture
from model.residual import TrunkEncoder, shrink
from model.vae import kl_divergence, reparametrize

from ..checkpoint import CheckpointError
from ..critic import Critic, load_critic, save_critic
from ..data.folder import Batch
from ..fit import describe_basis, fit_mixture, with_mirrored
from ..losses import PerceptualLoss
from ..schedule import learning_rate
from .phase import Phase

if TYPE_CHECKING:
    from ..trainer import Trainer

HOLD = 0.6  # share of the phase after which its learning rate falls
WHOLE, FINE = 1.5, 1.5  # weights of what the critic says of whole pictures and of patches at full size
NOISE = 0.5  # share of the encoder's noise that the decoder gets
WARMEST = 1.3  # the highest temperature that random dogs are drawn at


class Realism(Phase):
    """Likeness without asking for each hair in its place, and a critic that asks whether a picture looks real."""

    name = "realism"

    def __init__(self, trainer: Trainer, began: int = 0):
        super().__init__(trainer, began)
        torch.manual_seed(trainer.config.seed)  # the same new weights in every process
        assert isinstance(trainer.criterion, PerceptualLoss)  # the trainer refuses a second phase of other presets
        self.criterion = trainer.criterion
        self.critic = Critic(self.criterion, self.accelerator, self.recipe.critic_lr)
        self.critic_known = False
        self.prior: Mixture  # that random dogs are drawn from

    def begin(self) -> None:
        if self.trainer.config.init_from:
            self.critic_known = load_critic(self.critic, self.trainer.config.init_from)
        self.follow()

    def go_on(self, facts: dict, tensors: dict[str, Tensor]) -> None:
        self.critic_known = facts.get("critic_known", False)
        if not tensors:  # a checkpoint from before the prior was kept in it
            return self.follow()
        try:
            mixture = {name: tensors.pop(name) for name in ("weights", "centres", "factors")}
            self.prior = Mixture.from_file(Basis.from_file(tensors, None, facts["distance"]), mixture)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"The checkpoint in {self.trainer.out} holds no whole prior ({error}).") from None

    def follow(self) -> None:
        """Fits the prior that random dogs are drawn from to the latents that the averaged encoder now gives the upright
        pictures (of a stream: its first ones) and their mirror images."""
        with self.accelerator.autocast():
            mu, logvar = with_mirrored(self.trainer.ema, self.trainer.upright)
        self.prior = fit_mixture(describe_basis(mu, logvar), mu)

    @property
    def critic_counts_from(self) -> float:
        """Image count from which the critic's loss trains the decoder; an untrained critic would damage it."""
        if self.critic_known:
            return self.began
        return self.began + min(self.recipe.critic_alone, (self.trainer.total - self.began) / 10)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The first half of the photos is reconstructed; half as many dogs again are drawn at random.

        Half of the random ones are drawn at temperature 1, the others anywhere from the mean dog to WARMEST: at
        temperatures that it was not trained for, the decoder draws screens and stripes. The encoder's noise is halved:
        the decoder still learns what lies round each dog's latent, and gets more of what the encoder saw. What noise
        costs grows with its square, so a nat has a quarter of its price; at that, the encoder keeps to half the noise.
        It goes on learning, so that it follows what the sharper decoder makes of each number.
        """
        trainer, x = self.trainer, batch.x
        rebuilt = (len(x) + 1) // 2
        generator = torch.Generator().manual_seed(batch.seed % 2**53)
        critic_counts = trainer.images >= self.critic_counts_from
        with torch.set_grad_enabled(critic_counts), self.accelerator.autocast():
            mu, logvar = self._encode(x[:rebuilt])
            z = reparametrize(mu, logvar, batch.eps[:rebuilt] * NOISE)
            z = torch.cat([z, self._random(len(x), batch, generator).to(x.device)])
            half, drawn = self.accelerator.unwrap_model(trainer.vae).decoder.both(z)
        kl = kl_divergence(mu, logvar + 2 * math.log(NOISE)).sum(1).mean()  # of the Gaussian that z was drawn from
        range_loss, range_parts = self.criterion.of_range(drawn.float())
        drawn = drawn.float().clamp(-1, 1)  # as they are shown
        verdict = self.critic.judge(x, drawn, batch.sharp, generator)
        likeness, parts = self.criterion.coarse(
            x[:rebuilt], drawn[:rebuilt], [f[:rebuilt] for f in verdict.real], [f[:rebuilt] for f in verdict.seen]
        )
        half_loss, half_parts = self.criterion.of_half(half, drawn)
        realism = WHOLE * verdict.whole + FINE * verdict.fine
        ramp = min(1.0, (trainer.images - self.critic_counts_from) / self.recipe.realism_warmup)
        total = likeness + self.recipe.kl * NOISE**2 * kl + half_loss + range_loss + ramp * realism
        told = {"kl": kl, "realism": realism, "critic": self.critic.loss.detach()}
        return total, parts | half_parts | range_parts | told

    def _random(self, photos: int, batch: Batch, generator: torch.Generator) -> Tensor:
        """Three latents for every four photos [N, latent_dim], of which half lie at temperature 1."""
        count = (3 * photos + 3) // 4
        temperature = torch.rand(count, 1, generator=generator) * WARMEST
        temperature[: count // 2] = 1
        drawn = self.prior.draw(count, temperature=1, seed=(batch.seed + 1) % 2**53)
        return torch.lerp(self.prior.basis.mean, drawn, temperature)

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu, logvar of photos [B, 3, S, S], with graph to the encoder."""
        vae = self.accelerator.unwrap_model(self.trainer.vae)
        assert isinstance(vae.encoder, TrunkEncoder)
        with torch.no_grad():
            features = self.criterion.trunk_features(shrink(x, self.criterion.size))
        mu, logvar = vae.gaussian(vae.encoder.from_features(features).float())
        assert logvar is not None
        return mu, logvar

    def backward(self, total: Tensor, parts: int) -> None:
        super().backward(total, parts)
        self.critic.backward(parts)

    def step(self) -> None:
        self.critic.step()

    def learning_rate(self) -> float:
        seen, length = self.trainer.images - self.critic_counts_from, self.trainer.total - self.critic_counts_from
        if seen < 0:
            return 0.0
        return learning_rate(self.recipe.realism_lr, self.recipe.realism_warmup, seen, length, HOLD)

    def state(self) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        critic = self.critic
        return {"critic": critic.networks}, {"critic_optimizer": critic.optimizer.optimizer}

    def facts(self) -> dict:
        return {"critic_known": self.critic_known, "distance": self.prior.basis.distance}

    def tensors(self) -> dict[str, Tensor]:
        basis = {name: getattr(self.prior.basis, name) for name in ("mean", "directions", "sd", "effect", "kl")}
        return basis | self.prior.tensors()

    def save(self) -> None:
        save_critic(self.critic, self.trainer.out)
