"""The second phase of training: every term moves the decoder, the critic learns, and neither dominates."""

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import save_file

from tests.support.tiny import LARGE, drawn_batch, tiny_vae
from training.critic import Critic, load_critic, save_critic
from training.discriminator import Augmentation, Discriminator, critic_loss, realism_loss
from training.features import load_lite0
from training.losses import PerceptualLoss, repeated, windows

pytestmark = pytest.mark.usefixtures("in_process")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_critic(size: int = 32) -> Critic:
    AcceleratorState._reset_state(True)
    torch.manual_seed(0)
    return Critic(PerceptualLoss(load_lite0(), size), Accelerator(cpu=True), 5e-4)


SHARP = torch.ones(8, dtype=torch.bool)


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
    discriminator = Discriminator().eval()  # in training mode, spectral_norm would change the heads at every call
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


@pytest.mark.parametrize("size", [64, 32], ids=["whole", "whole and patches"])
def test_the_critic_learns_to_tell_real_from_drawn(size):
    critic, x = make_critic(size), drawn_batch(8, 64)
    noise = torch.rand(8, 3, 64, 64, generator=generator(1)) * 2 - 1
    losses = []
    for step in range(15):
        critic.judge(x, noise, SHARP, generator(step))
        critic.backward()
        critic.step()
        losses.append(critic.loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_enlargements_are_not_looked_at_closely(monkeypatch):
    critic, x = make_critic(), drawn_batch(2, 64)
    compared = {}
    compare = critic._compare
    monkeypatch.setattr(critic, "_compare", lambda name, *both: compared.update({name: both}) or compare(name, *both))
    assert critic.judge(x, x.flip(0), torch.tensor([False, False]), generator()).fine == 0
    assert compared.keys() == {"whole"}
    enlarged = torch.cat([torch.full_like(x[:1], torch.nan), x[1:]])
    assert critic.judge(enlarged, x.flip(0), torch.tensor([False, True]), generator()).fine != 0
    photos, drawn = compared["fine"]
    assert photos.isfinite().all() and len(photos) == len(drawn) == 2, "the photo that has hair, twice"


@pytest.fixture
def judged():
    """(critic, vae, terms). terms: the losses that the second phase minimises, with gradients to the decoder."""
    critic, vae, x = make_critic(), tiny_vae(LARGE).train(), drawn_batch(2, 64)
    half, drawn = vae.decoder.both(torch.randn(3, 16, generator=generator()))
    verdict = critic.judge(x, drawn, SHARP[:2], generator())
    loss = PerceptualLoss(load_lite0(), 32)
    _, terms = loss.coarse(x, drawn[:2], [f[:2] for f in verdict.real], [f[:2] for f in verdict.seen])
    return critic, vae, terms | {"whole": verdict.whole, "fine": verdict.fine}


@pytest.mark.parametrize("term", ["coarse l1", "coarse perceptual", "whole", "fine"])
def test_every_term_moves_the_decoder_and_leaves_the_critic_alone(judged, term):
    critic, vae, terms = judged
    terms[term].backward()
    still = [p.shape for p in vae.decoder.parameters() if p.grad is None or not p.grad.any()]
    assert not still, f"{term} does not move {still}"
    assert all(p.grad is None for p in critic.networks.parameters())


def test_the_critic_does_not_move_the_decoder(judged):
    critic, vae, _ = judged
    critic.backward()
    assert all(p.grad is None for p in vae.parameters())
    for name, p in critic.networks.named_parameters():
        assert p.grad.any() if ".heads." in name else p.grad is None, name


def test_what_a_critic_learned_is_kept(judged, tmp_path, capsys):
    critic, _, _ = judged
    for _ in range(3):
        critic.backward()
        critic.step()
        critic.judge(drawn_batch(2, 64), drawn_batch(2, 64).flip(0), SHARP[:2], generator())
    save_critic(critic, tmp_path)
    assert (tmp_path / "critic.safetensors").stat().st_size < 1_100_000
    fresh = make_critic()
    assert load_critic(fresh, tmp_path)
    for name, value in fresh.networks.state_dict().items():
        torch.testing.assert_close(value, critic.networks.state_dict()[name], atol=1e-3, rtol=1e-3, msg=name)


def test_a_critic_that_is_missing_damaged_or_of_other_widths_begins_anew(tmp_path, capsys):
    critic = make_critic()
    before = {k: v.clone() for k, v in critic.networks.state_dict().items()}
    assert not load_critic(critic, tmp_path) and "a new one begins" in capsys.readouterr().out
    (tmp_path / "critic.safetensors").write_bytes(b"nothing")
    assert not load_critic(critic, tmp_path) and "a new one begins" in capsys.readouterr().out
    save_file({"whole.heads.0.0.bias": torch.zeros(3)}, tmp_path / "critic.safetensors")
    assert not load_critic(critic, tmp_path) and "other widths" in capsys.readouterr().out
    assert all(torch.equal(v, before[k]) for k, v in critic.networks.state_dict().items())


def test_windows_are_what_slices_would_be():
    x = torch.randn(3, 2, 9, 7, generator=generator()).requires_grad_()
    corners = torch.tensor([[0, 0], [5, 3], [2, 1]])
    cut, slices = windows(x, corners, 4), [p[:, r : r + 4, c : c + 4] for p, (r, c) in zip(x, corners.tolist())]
    assert torch.equal(cut, torch.stack(slices))
    (gradient,) = torch.autograd.grad(cut.square().sum(), x)
    assert torch.equal(gradient, torch.autograd.grad(torch.stack(slices).square().sum(), x)[0])


def test_the_chosen_are_repeated_until_the_batch_is_full():
    assert repeated(torch.tensor([False, True, False, True, False])).tolist() == [1, 3, 1, 3, 1]
    assert repeated(torch.ones(3, dtype=torch.bool)).tolist() == [0, 1, 2]
