"""Looks and breeds: how they are measured, fitted, stored in files, and used to move a dog."""

import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from model import DogFinder, WeightsError, load
from model.errors import PlainError
from model.latents import Breeds, Looks
from model.pretrained import BREEDS, LOOKS, read, save
from tests.support.threads import answered
from tests.support.tiny import some_latents, tiny_vae
from training import looks as command
from training.appearance import fit, measures, report
from training.appearance.draws import Eye, Seen
from training.appearance.measures import MEASURES, NAMES, Scale, measure
from training.appearance.names import BREEDS as BREED_NAMES
from ui.looks import Named, Sight
from ui.studio import Studio
from ui.worker import Worker

POINTS = torch.tensor([[[0.32, 0.43], [0.68, 0.43], [0.5, 0.7]]])
NO_BREED = torch.zeros(1, 118)


def flat(*colour: float) -> torch.Tensor:
    """A picture [1, 3, 64, 64] of one colour, values 0..1."""
    return (2 * torch.tensor(colour) - 1)[None, :, None, None].expand(1, 3, 64, 64).clone()


def seen(x: torch.Tensor, points: torch.Tensor = POINTS, breeds: torch.Tensor = NO_BREED) -> dict[str, float]:
    return dict(zip(NAMES, measure(x, points, breeds)[0][0].tolist()))


def test_each_measure_sees_what_it_is_called_by():
    grey = seen(flat(0.5, 0.5, 0.5))
    golden, green = seen(flat(0.8, 0.6, 0.2)), seen(flat(0.3, 0.7, 0.3))
    assert seen(flat(0.9, 0.9, 0.9))["coat"] > grey["coat"] and golden["coat colour"] > grey["coat colour"] + 0.3
    assert golden["background colour"] > grey["background colour"] and green["background tint"] > 0.2
    tongue = flat(0.5, 0.5, 0.5)
    tongue[:, :, 54:60, 28:36] = flat(0.9, 0.4, 0.5)[:, :, 54:60, 28:36]
    assert seen(tongue)["mouth"] > grey["mouth"] + 0.1 and seen(tongue)["coat"] == pytest.approx(grey["coat"], abs=1e-3)
    lit = flat(0.5, 0.5, 0.5)
    lit[..., 32:] += 0.5
    assert seen(lit)["light"] > 0.1 and seen(lit.flip(3))["light"] < -0.1
    turned, long = POINTS.clone(), POINTS.clone()
    turned[0, 2, 0], long[0, 2, 1] = 0.6, 0.8
    assert seen(flat(0.5, 0.5, 0.5), turned)["head"] > grey["head"] + 0.05
    assert seen(flat(0.5, 0.5, 0.5), long)["muzzle"] > grey["muzzle"]
    upright = torch.zeros(1, 118)
    upright[0, BREED_NAMES.index("German shepherd")] = 9
    assert seen(flat(0.5, 0.5, 0.5), breeds=upright)["ears"] > grey["ears"]


def test_a_measure_is_freed_of_those_that_it_stands_beside():
    random = torch.Generator().manual_seed(0)
    values = torch.randn(500, len(MEASURES), generator=random)
    coat, chest = NAMES.index("coat"), NAMES.index("chest")
    values[:, chest] = 0.1 * values[:, chest] + 3 * values[:, coat]
    scaled = Scale.of(values)(values)
    assert scaled.mean(0).abs().max() < 1e-4 and (scaled.std(0) - 1).abs().max() < 1e-3
    assert abs(torch.corrcoef(scaled[:, [coat, chest]].T)[0, 1]) < 0.05


def test_a_way_changes_its_own_reading_and_hardly_the_others():
    random = torch.Generator().manual_seed(0)
    readings = torch.randn(6, 64, generator=random)
    readings[1] = readings[0] + 0.5 * readings[1]  # the two are correlated
    change = readings @ fit.way(readings[0], readings[1:])
    assert change[0] == pytest.approx(1, abs=1e-3) and change[1:].abs().max() < 0.2
    assert readings[1] @ readings[0] / readings[0].square().sum() > 0.8, "the plain direction would not do"


def test_what_moves_another_more_than_half_as_much_as_itself_is_not_shown():
    change = torch.diag(torch.full((len(MEASURES),), 3.0))
    change[2, 5], change[4, 1] = -1.6, 1.4
    assert 2 not in (shown := fit.chosen(some_looks(256), change)) and 4 in shown and len(shown) == len(MEASURES) - 1


def some_looks(dim: int) -> Looks:
    random = torch.Generator().manual_seed(0)
    readings, kept, free = (torch.randn(len(MEASURES), dim, generator=random) for _ in range(3))
    return Looks(list(NAMES), readings, torch.zeros(len(MEASURES)), kept, free, [list(one.ends) for one in MEASURES])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with a tiny model after the whole command, run on as few dogs as possible."""
    folder = tmp_path_factory.mktemp("looks")
    vae = tiny_vae()
    vae.latents = some_latents()
    save(vae, folder / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "TRIED", 1)
        patch.setattr(report, "SCARCE", 1)
        patch.setattr(report, "DOGS", 2)
        patch.setattr(fit, "STEPS", (0.0,))
        patch.setattr(fit, "chosen", lambda looks, change: [0, 5])
        command.main(["--weights", str(folder / "tiny"), "--draws", "50", "--sheets", str(folder / "sheets")])
    return folder / "tiny"


def test_the_command_writes_what_the_page_needs(weights):
    vae = load(weights)
    assert vae.looks.names == [NAMES[0], NAMES[5]] and vae.breeds.names == BREED_NAMES
    assert sorted(path.stem for path in (weights.parent / "sheets").iterdir())[0] == "background"
    z = vae.latents.sample(3, seed=1)
    moved = vae.looks.move(z, "coat", 2.0)
    assert (vae.looks.read(moved) - vae.looks.read(z))[:, 1] == pytest.approx(2, abs=0.02)
    assert not torch.equal(moved, vae.looks.move(z, "coat", 2.0, keep_background=False))
    with pytest.raises(ValueError, match="no 'tail' here; there are head, coat"):
        vae.looks.move(z, "tail", 1)


def test_the_classifier_is_the_one_that_the_wheel_holds(weights):
    vae = load(weights)
    eye = Eye(vae, DogFinder())
    x = vae.decode(vae.latents.sample(2, seed=3))
    expected = eye.breeds(x).softmax(1)
    assert torch.allclose(Sight(Studio(vae)).shares(x), expected, atol=0.02) and expected.sum(1) == pytest.approx(1)


def test_what_the_page_asks_is_checked(weights):
    vae, worker = load(weights), Worker()
    named, told = Named(Studio(vae), worker), {"weights": vae.weights_id}
    [head, coat] = answered(named.ways(told))["ways"]
    c = vae.latents.coordinates(vae.latents.sample(1, seed=1))
    standing = (c @ torch.tensor(coat["reading"]) + coat["level"]).item()
    assert standing == pytest.approx(vae.looks.read(vae.latents.from_coordinates(c))[0, 1].item(), abs=0.02)
    assert torch.tensor(head["reading"]) @ torch.tensor(head["kept"]) == pytest.approx(1, abs=0.02)
    assert len(answered(named.toward(told | {"breed": "pug"}))["kept"]) == 16
    seen = answered(named.see_breeds(told | {"dog": c[0].tolist()}))["breeds"]
    assert 1 <= len(seen) <= 3 and {one["breed"] for one in seen} <= set(BREED_NAMES)
    for question, data, sentence in (
        (named.toward, {"breed": "wolf"}, "knows no breed wolf; it knows 118 others"),
        (named.toward, {"breed": "x" * 65}, "at most 64 characters"),
        (named.toward, {"breed": 7}, "at most 64 characters"),
        (named.see_breeds, {"dog": [1.0]}, "a list of 16 numbers"),
        (named.see_breeds, {"dog": ["x"] * 16}, "not numbers"),
        (named.see_breeds, {"dog": 7}, "A dog is a list"),
        (named.ways, {"weights": "0" * 12}, "has been changed"),
    ):
        with pytest.raises(PlainError, match=sentence):
            answered(question(data))
    vae.looks = vae.breeds = None
    bare = Named(Studio(vae), worker)
    assert answered(bare.ways(told)) == {"ways": []} and bare.look_facts() == bare.breed_names() == []
    for call in (bare.toward({"breed": "pug"}), bare.see_breeds({"dog": c[0].tolist()})):
        with pytest.raises(PlainError, match="These weights have no breeds"):
            answered(call)
    with pytest.raises(PlainError, match="no Look or breed 'coat'; it has no Looks"):
        bare.moved(c, "coat", 1)


def test_names_come_from_what_a_direction_goes_with():
    c = torch.randn(400, 16, generator=torch.Generator().manual_seed(0))
    values = torch.randn(400, len(MEASURES), generator=torch.Generator().manual_seed(1))
    values[:, NAMES.index("coat")] = -c[:, 3]
    draws = fit.Draws(c, measures_of(values), Scale.of(values))
    names = fit.name_directions(draws)
    assert names[3] == "coat: light to dark" and names[0] == "direction 1"


def measures_of(values: torch.Tensor):
    return Seen(values, torch.zeros(len(values), 21), torch.zeros(len(values), 118))


@pytest.mark.parametrize("file", [LOOKS, BREEDS])
def test_files_that_do_not_fit_are_refused_in_one_sentence(weights, file, tmp_path):
    folder = shutil.copytree(weights, tmp_path / "weights")
    good = load_file(folder / file)
    kind = Looks if file == LOOKS else Breeds
    facts = {name: "[]" for name in kind.FACTS} | {"weights": load(folder, moves=False).weights_id}
    broken = {
        "fit each other": (good, facts),
        "other weights": (good, facts | {"weights": "0" * 12}),
        "lacks an entry": ({k: v for k, v in good.items() if k != "kept"}, facts),
    }
    for reason, (tensors, told) in broken.items():
        save_file(tensors, folder / file, told)
        with pytest.raises(WeightsError, match=f"{re.escape(file)} .*{reason}.*training.looks"):
            load(folder)
    (folder / file).write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="is damaged"):
        load(folder)
    (folder / file).unlink()
    assert getattr(load(folder), "looks" if file == LOOKS else "breeds") is None, "weights do without"


def test_other_weights_in_their_place_take_the_looks_with_them(weights, tmp_path):
    folder = shutil.copytree(weights, tmp_path / "weights")
    again = read(folder)
    again.weights_id = "0" * 12  # as in a run that is resumed
    save(again, folder)
    assert (folder / LOOKS).is_file(), "the same weights keep theirs"
    save(tiny_vae(seed=1), folder)
    assert not (folder / LOOKS).exists() and not (folder / BREEDS).exists()


def test_the_command_speaks_plainly(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(["--weights", str(tmp_path / "missing")])
    assert "There is no folder" in caught.value.code
    with pytest.raises(SystemExit):
        command.main(["--weights", str(tmp_path), "--draws", "9"])
    assert "whole number from 50 on" in capsys.readouterr().err


def test_groups_of_breeds_are_breeds():
    for group in (measures.UPRIGHT, measures.HANGING, measures.SHAGGY, measures.SHORT):
        assert len(set(group)) == len(group) >= 15
    assert not set(measures.UPRIGHT) & set(measures.HANGING) and not set(measures.SHAGGY) & set(measures.SHORT)
    assert len(set(BREED_NAMES)) == 118
