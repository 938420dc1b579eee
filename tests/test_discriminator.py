"""The second phase: every term moves the decoder, the critic learns, and neither takes over."""

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from tests.tiny import drawn_batch, tiny_vae
from training.discriminator import Critic, augment, critic_loss, image_gradient, realism_loss
from training.features import load_lite0
from training.losses import PerceptualLoss

pytestmark = pytest.mark.usefixtures("in_process")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_critic() -> Critic:
    AcceleratorState._reset_state(True)
    torch.manual_seed(0)
    return Critic(PerceptualLoss(load_lite0()).look, Accelerator(cpu=True))


def test_augmentation_is_repeatable_differs_by_picture_and_lets_gradients_through():
    x = drawn_batch(1, 32).expand(4, -1, -1, -1).clone().requires_grad_()
    changed = augment(x, generator())
    assert torch.equal(changed, augment(x, generator())) and changed.shape == x.shape
    assert not torch.equal(changed[0], changed[1])
    changed.square().sum().backward()
    assert x.grad.flatten(1).any(dim=1).all()


def test_hinge_loss_is_zero_where_the_critic_is_sure():
    real, drawn = [torch.full((2, 1, 4, 4), 1.5)], [torch.full((2, 1, 4, 4), -1.5)]
    assert critic_loss(real, drawn) == 0
    assert critic_loss(drawn, real) == 5
    assert realism_loss(real) < realism_loss(drawn)


def test_the_critic_learns_to_tell_real_from_drawn():
    critic, x = make_critic(), drawn_batch(8, 64)
    noise = torch.rand(8, 3, 64, 64, generator=generator(1)) * 2 - 1
    losses = []
    for step in range(15):
        _, loss = critic.judge(x, noise, generator(step))
        critic.learn(loss)
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_realism_moves_the_decoder_and_leaves_trunk_and_critic_alone():
    critic, vae = make_critic(), tiny_vae().train()
    drawn = vae.decoder(torch.randn(4, 16, generator=generator()))
    realism, _ = critic.judge(drawn_batch(4, 32), drawn, generator())
    gradients = torch.autograd.grad(realism, [p for p in vae.decoder.parameters()])
    assert all(g.any() for g in gradients)
    assert all(p.grad is None for p in critic.heads.parameters())


def test_the_critics_pull_is_weighed_against_the_likeness():
    drawn = torch.randn(3, 3, 8, 8, generator=generator()).requires_grad_()
    likeness, realism = drawn[:2].square().sum(), 100 * drawn.sum()
    pull = torch.autograd.grad(likeness, drawn, retain_graph=True)[0]
    gradient, scale = image_gradient(drawn, 2, likeness, realism, 0.5)
    push = gradient - pull
    torch.testing.assert_close(push[:2].norm(), 0.5 * pull[:2].norm())
    torch.testing.assert_close(push[2], torch.full((3, 8, 8), 100.0) * scale)
