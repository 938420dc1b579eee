"""Latents: their coordinates, the priors, the file, and the directions found in data."""

import math

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from model import Latents
from model.latents import principal_directions
from tests.support.tiny import ROOT, choosy, some_latents


def test_coordinates_and_back():
    latents, z = some_latents(), torch.randn(5, 16)
    torch.testing.assert_close(latents.from_coordinates(latents.coordinates(z)), z, atol=1e-5, rtol=1e-5)
    one = torch.zeros(1, 16)
    one[0, 3] = 2  # 2 sd along direction 3
    moved = latents.from_coordinates(one)[0] - latents.mean
    torch.testing.assert_close(moved, 2 * latents.sd[3] * latents.directions[3])


@pytest.mark.parametrize("prior", ["fitted", "normal"])
def test_the_same_seed_draws_the_same_dogs(prior):
    latents = some_latents()
    z = latents.sample(6, seed=7, prior=prior)
    assert z.shape == (6, 16) and z.dtype == torch.float32
    assert torch.equal(z, latents.sample(6, seed=7, prior=prior))
    assert not torch.equal(z, latents.sample(6, seed=8, prior=prior))
    for n in (1, 3, 20):
        more = latents.sample(n, seed=7, prior=prior)
        torch.testing.assert_close(more[:6], z[:n], atol=1e-6, rtol=1e-6)  # dog i does not depend on n


@pytest.mark.parametrize("preset", ["dogvae", "classic", "autoencoder"])
def test_weights_of_before_draw_the_very_same_dogs(preset):
    """Today's draws equal those of version 0.1's code, which is repeated here, bit for bit."""
    latents = Latents.load(ROOT / "weights" / preset / "latents.safetensors")
    mixture = latents.priors["mixture"]
    for n, temperature, seed in ((1, 1.0, 23), (6, 0.7, 7), (16, 1.3, 100), (2, 0.0, 0)):
        generator = torch.Generator().manual_seed(seed)
        rows = [(torch.randn(256, generator=generator), torch.rand((), generator=generator)) for _ in range(n)]
        eps, u = (torch.stack(parts) for parts in zip(*rows))
        assert torch.equal(latents.sample(n, temperature, seed, prior="normal"), temperature * eps)
        wide = latents.sd.argsort(descending=True, stable=True)[: mixture.centres.shape[1]]
        k = torch.bucketize(u, mixture.weights.cumsum(0)[:-1])
        eps[:, wide] = mixture.centres[k] + torch.einsum("bij,bj->bi", mixture.factors[k], eps[:, wide])
        before = latents.mean + (temperature * eps * latents.sd) @ latents.directions
        assert torch.equal(latents.sample(n, temperature, seed, prior="mixture"), before)


def test_sampling_leaves_the_global_random_state_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    some_latents().sample(4, seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_temperature_scales_the_spread():
    latents = some_latents()
    assert torch.equal(latents.sample(2, temperature=0), latents.mean.expand(2, 16))
    whole, half = (latents.sample(4, temperature=t) - latents.mean for t in (1.0, 0.5))
    torch.testing.assert_close(half, whole / 2, atol=1e-6, rtol=1e-5)


def test_the_priors_have_the_moments_they_promise():
    latents = some_latents()
    z = latents.sample(20_000, seed=3)
    assert (z.mean(0) - latents.mean).abs().max() < 0.05
    assert (latents.coordinates(z).T.cov() - torch.eye(16)).abs().max() < 0.05
    along = latents.coordinates(z)[:, latents.sd.argmax()]
    assert (along.abs() < 0.3).float().mean() < 0.15, "the mixture's two kinds are not there"  # a Gaussian has 0.24
    normal = latents.sample(20_000, seed=3, prior="normal")
    assert normal.mean(0).abs().max() < 0.05
    assert (normal.T.cov() - torch.eye(16)).abs().max() < 0.05


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"n": 1, "prior": "uniform"},
        {"n": 1, "temperature": -0.1},
        {"n": 1, "temperature": 2.1},
        {"n": 1, "temperature": math.nan},
        {"n": 1, "seed": -1},
        {"n": 1, "seed": 2**53},
    ],
    ids=str,
)
def test_sample_rejects(wrong):
    with pytest.raises(ValueError):
        some_latents().sample(**wrong)


def test_file_round_trip(tmp_path):
    latents = some_latents()
    latents.names[2] = "ears up to floppy"
    latents.save(tmp_path / "latents.safetensors")
    loaded = Latents.load(tmp_path / "latents.safetensors")
    for name in ("mean", "directions", "sd", "effect", "kl"):
        assert torch.equal(getattr(loaded, name), getattr(latents, name)), name
    assert loaded.names == latents.names
    assert torch.equal(loaded.sample(5, seed=1), latents.sample(5, seed=1))
    assert [p.name for p in tmp_path.iterdir()] == ["latents.safetensors"]


def test_256_dimensions_take_less_than_a_megabyte(tmp_path):
    some_latents(256).save(tmp_path / "latents.safetensors")
    assert (tmp_path / "latents.safetensors").stat().st_size < 1_000_000


def damage(tensors: dict, how: str) -> dict:
    if how == "an entry is missing":
        del tensors["sd"]
    elif how == "an entry too many":
        tensors["extra"] = torch.zeros(1)
    elif how == "another shape":
        tensors["sd"] = torch.ones(15)
    elif how == "not a matrix":
        tensors["directions"] = torch.ones(16)
    elif how == "a scalar mean":
        tensors["mean"] = torch.tensor(0.0)
    elif how == "not a number":
        tensors["mean"][3] = math.nan
    elif how == "no spread":
        tensors["sd"][3] = 0
    elif how == "weights that do not add up":
        tensors["mixture.weights"][0] = 0.9
    elif how == "a mixture that does not fit":
        tensors["mixture.factors"] = tensors["mixture.factors"][:, :5, :5].contiguous()
    return tensors


@pytest.mark.parametrize(
    "how",
    [
        "an entry is missing",
        "an entry too many",
        "another shape",
        "not a matrix",
        "a scalar mean",
        "not a number",
        "no spread",
        "weights that do not add up",
        "a mixture that does not fit",
    ],
)
def test_a_damaged_file_is_refused(tmp_path, how):
    path = tmp_path / "latents.safetensors"
    some_latents().save(path)
    save_file(damage(load_file(path), how), path)
    with pytest.raises(ValueError):
        Latents.load(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "latents.safetensors"
    some_latents().save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SafetensorError):
        Latents.load(path)


def test_names_that_do_not_fit_are_numbered(tmp_path):
    path = tmp_path / "latents.safetensors"
    some_latents().save(path)
    for names in ('["one"]', "5", '{"a": 1}'):
        save_file(load_file(path), path, {"names": names, "distance": "[5.0, 0.2]"})
        assert Latents.load(path).names[15] == "direction 16"


def test_principal_directions_recover_a_known_covariance():
    dim, generator = 8, torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q
    sd = torch.arange(dim, 0, -1).float()
    mu = 5 + (torch.randn(20_000, dim, generator=generator) * sd) @ axes
    mean, directions, found = principal_directions(mu)
    torch.testing.assert_close(mean, torch.full((dim,), 5.0), atol=0.2, rtol=0)
    torch.testing.assert_close(found, sd, atol=0, rtol=0.03)
    assert (directions * axes).sum(1).abs().min() > 0.98
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    assert (largest > 0).all(), "the sign is free, so it is fixed"


@pytest.mark.parametrize("n", [1, 5, 100], ids=lambda n: f"{n} pictures")
def test_directions_are_orthonormal_however_few_pictures(n):
    mean, directions, sd = principal_directions(torch.randn(n, 16, generator=torch.Generator().manual_seed(n)))
    torch.testing.assert_close(directions @ directions.T, torch.eye(16), atol=1e-5, rtol=0)
    assert (sd > 0).all() and (sd.diff() <= 0).all() and mean.isfinite().all()


def test_the_prior_that_chooses_takes_the_first_candidate_that_is_good_enough():
    latents = choosy(floor=0.5)
    first = latents.coordinates(latents.sample(200, seed=3, prior="mixture"))
    c = latents.coordinates(latents.sample(200, seed=3))
    assert (c[:, 0] >= 0.5 - 1e-4).float().mean() > 0.9 > 2 * (first[:, 0] >= 0.5).float().mean()
    good = first[:, 0] >= 0.51
    torch.testing.assert_close(c[good], first[good], atol=1e-4, rtol=1e-4)
    others = c[:, 3].sort().values  # a coordinate that the prediction does not use keeps its distribution
    assert (others.mean() - first[:, 3].mean()).abs() < 0.2 and (others.std() / first[:, 3].std() - 1).abs() < 0.2


def test_choosing_ends_where_no_candidate_is_good_enough():
    best = choosy(floor=math.inf)
    latents = choosy(floor=-math.inf)
    c, first = (each.coordinates(each.sample(50, seed=3)) for each in (best, latents))
    torch.testing.assert_close(latents.sample(50, seed=3), latents.sample(50, seed=3, prior="mixture"))
    assert (c[:, 0] >= first[:, 0] - 1e-5).all() and c[:, 0].mean() > 1, "then the best of them is taken"


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 1.3])
def test_the_choice_depends_neither_on_the_number_of_dogs_nor_of_threads(temperature):
    latents, threads = choosy(0.5, dim=256), torch.get_num_threads()
    z = latents.sample(40, temperature, seed=11)
    alone = torch.cat([latents.sample(n, temperature, seed=11)[-1:] for n in (1, 2, 3, 7, 40)])
    torch.testing.assert_close(alone, z[[0, 1, 2, 6, 39]], atol=1e-5, rtol=1e-5)
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        torch.testing.assert_close(latents.sample(40, temperature, seed=11), z, atol=1e-5, rtol=1e-5)
    finally:
        torch.set_num_threads(threads)


def test_at_temperature_0_every_seed_draws_the_dog_at_home():
    latents = choosy(floor=-1e9)
    home = latents.coordinates(latents.sample(3, temperature=0, seed=5))
    torch.testing.assert_close(home, torch.full((3, 16), 0.5), atol=1e-5, rtol=1e-5)
    mixture, warm = (latents.sample(20, 1.2, seed=5, prior=prior) for prior in ("mixture", "fitted"))
    torch.testing.assert_close(mixture, warm, atol=1e-5, rtol=1e-5)  # at temperature 1 and above, `home` has no effect


def test_the_choice_is_stored_with_the_latents(tmp_path):
    latents, path = choosy(floor=0.5, dim=256), tmp_path / "latents.safetensors"
    latents.save(path)
    assert torch.equal(Latents.load(path).sample(20, 0.9, seed=2), latents.sample(20, 0.9, seed=2))
    assert path.stat().st_size < 1_000_000
    whole = load_file(path)
    for key, value in (("chosen.slopes", torch.ones(8)), ("chosen.floor", torch.ones(2)), ("chosen.floor", None)):
        damaged = {k: v for k, v in whole.items() if k != key} | ({key: value} if value is not None else {})
        save_file(damaged, path, {"distance": "[5.0, 0.2]"})
        with pytest.raises(ValueError, match="latents.safetensors"):
            Latents.load(path)
    save_file(whole | {"tree.weights": torch.ones(2)}, path, {"distance": "[5.0, 0.2]"})
    with pytest.raises(ValueError, match="does not know: tree"):
        Latents.load(path)
