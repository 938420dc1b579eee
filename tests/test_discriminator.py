"""The second phase: every term moves the decoder, the critic learns, and neither takes over."""

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from tests.support.tiny import drawn_batch, tiny_vae
from training.discriminator import Augmentation, Critic, Discriminator, critic_loss, realism_loss
from training.features import load_lite0
from training.losses import PerceptualLoss

pytestmark = pytest.mark.usefixtures("in_process")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_critic() -> Critic:
    AcceleratorState._reset_state(True)
    torch.manual_seed(0)
    return Critic(PerceptualLoss(load_lite0()).look, Accelerator(cpu=True), 5e-4)


def augmentation(count: int) -> Augmentation:
    return Augmentation(count, 32, generator(), torch.device("cpu"))


def test_augmentation_is_repeatable_differs_by_picture_and_lets_gradients_through():
    x = drawn_batch(1, 32).expand(4, -1, -1, -1).clone().requires_grad_()
    augment = augmentation(4)
    changed = augment(x)
    assert torch.equal(changed, augmentation(4)(x)) and changed.shape == x.shape
    assert not torch.equal(changed[0], changed[1])
    changed.square().sum().backward()
    assert x.grad.flatten(1).any(dim=1).all()


def test_a_photo_and_its_reconstruction_are_augmented_alike():
    x = drawn_batch(3, 32)
    augment = augmentation(3)
    assert torch.equal(augment(x)[:2], augment(x[:2]))


def test_what_a_coarse_stride_sees_reaches_the_finer_heads_but_for_the_finest():
    discriminator = Discriminator().eval()  # else spectral_norm changes the heads at every call
    features = [f.detach() for f in load_lite0()(drawn_batch(2, 64))]
    before = discriminator.judge(discriminator.mix(features))
    features[4] = features[4].flip(0)
    after = discriminator.judge(discriminator.mix(features))
    assert [torch.equal(p, q) for p, q in zip(before, after)] == [True, False, False, False, False]


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
        critic.judge(x, noise, generator(step))
        critic.backward()
        critic.step()
        losses.append(critic.loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.fixture
def judged():
    """(critic, vae, terms), terms: everything that the second phase makes small, with its graph to the decoder."""
    critic, vae, x = make_critic(), tiny_vae().train(), drawn_batch(2, 32)
    drawn = vae.decoder(torch.randn(3, 16, generator=generator()))
    verdict = critic.judge(x, drawn, generator())
    _, terms = PerceptualLoss(load_lite0()).coarse(x, drawn[:2], verdict.real, [f[:2] for f in verdict.seen])
    return critic, vae, terms | {"realism": verdict.realism}


@pytest.mark.parametrize("term", ["coarse l1", "coarse perceptual", "realism"])
def test_every_term_moves_the_decoder_and_leaves_the_critic_alone(judged, term):
    critic, vae, terms = judged
    terms[term].backward()
    still = [p.shape for p in vae.decoder.parameters() if p.grad is None or not p.grad.any()]
    assert not still, f"{term} does not move {still}"
    assert all(p.grad is None for p in critic.discriminator.parameters())


def test_the_critic_does_not_move_the_decoder(judged):
    critic, vae, _ = judged
    critic.backward()
    assert all(p.grad is None for p in vae.parameters())
    for name, p in critic.discriminator.named_parameters():
        assert p.grad.any() if name.startswith("heads.") else p.grad is None, name
