"""The finder of dogs' heads: its geometry, its training, and how well the embedded weights find heads."""

import json
import math
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from model import Crop, DogFinder, Head, NoDogError, PhotoError, WeightsError, open_photo
from model.finder import WEIGHTS, HeadMaps, decode, letterbox, see
from model.pretrained import sha256
from tests.support.tiny import ROOT, draw_dog
from training.finder import train as train_finder
from training.finder.train import curve, finder_loss, located, overlaps
from training.finder.views import CELLS, SIZE, Labelled, read_labels, target, view_of

PHOTO = Image.new("RGB", (640, 480), "olive")


def test_it_finds_the_head_and_cuts_it_out(finder, dog):
    heads = finder.find(dog)
    assert len(heads) == 1 and heads[0].score >= finder.threshold
    x0, y0, x1, y1 = heads[0].box
    assert 560 < (x0 + x1) / 2 < 660 and 260 < (y0 + y1) / 2 < 360 and 90 < x1 - x0 < 240
    assert x1 - x0 == pytest.approx(y1 - y0)
    crop = finder.crop(dog)
    assert crop.tobytes() == finder.crop(dog, heads[0]).tobytes()
    assert crop.size == (256, 256)


def test_it_finds_the_same_head_in_a_larger_photo(finder, dog):
    small, large = finder.find(dog)[0], finder.find(dog.resize((1600, 1000)))[0]
    assert large.box == pytest.approx([2 * v for v in small.box], abs=40)


def test_a_photo_without_a_dog(finder):
    assert finder.find(PHOTO) == []
    with pytest.raises(NoDogError) as caught:
        finder.crop(PHOTO)
    assert isinstance(caught.value, PhotoError) and str(caught.value).endswith(".")


def test_scores_fall_and_respect_the_threshold(finder, dog):
    two = dog.copy()
    two.paste(Image.open(ROOT / "assets" / "dog-1.png").convert("RGB").resize((220, 220)), (60, 60))
    heads = finder.find(two)
    assert len(heads) == 2
    assert [h.score for h in heads] == sorted((h.score for h in heads), reverse=True)
    assert finder.find(two, heads[0].score + 0.01) == []
    assert len(finder.find_boxes(two, 0.02)) >= 2


FACE = ((300.0, 200.0), (380.0, 210.0), (335.0, 260.0))


def test_each_frame_has_its_square(finder):
    sure, unsure = Head((250, 130, 450, 330), 0.9, FACE, 0.9), Head((250, 130, 450, 330), 0.9, FACE, 0.1)
    assert finder.frame(PHOTO, sure) == Crop.from_landmarks(FACE)
    assert finder.frame(PHOTO, unsure) == Crop.around(unsure.box), "unsure: by the box, at the same zoom"
    assert finder.frame(PHOTO, sure, "box") == finder.frame(PHOTO, unsure, "box") == Crop.loose(sure.box, PHOTO.size)
    assert finder.crop(PHOTO, sure).tobytes() == Crop.from_landmarks(FACE).cut(PHOTO, 256).tobytes()


@pytest.mark.parametrize(
    "points", [((300, 200),) * 3, ((300, 200), (380, 210), (335, 100)), ((math.nan, 0.0), (9, 9), (9, 19))]
)
def test_landmarks_that_are_no_face_leave_the_box(finder, points):
    head = Head((250, 130, 450, 330), 0.9, points, 0.99)
    assert finder.frame(PHOTO, head) == Crop.around(head.box)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 900), st.integers(1, 900))
def test_any_shape_of_photo_is_looked_at(width, height):
    region, size = letterbox((width, height), SIZE)
    assert size[0] % 32 == size[1] % 32 == 0 and max(size) == SIZE
    assert (region[2] - region[0]) / size[0] == pytest.approx((region[3] - region[1]) / size[1])
    view = see(Image.new("RGB", (width, height), "red"), region, size)
    assert view.size == size and view.getpixel((size[0] // 2, size[1] // 2)) == (255, 0, 0)


def test_a_region_outside_the_photo_is_grey():
    view = see(PHOTO, (-480, 0, 0, 480), (64, 64))
    assert view.getcolors() == [(64 * 64, (127, 127, 127))]


def test_decode_undoes_target():
    heads = [(70.0, 90.0, 60.0), (190.0, 170.0, 100.0)]
    wanted = target(heads)
    maps = torch.cat([torch.logit(wanted[:1].clamp(0.001, 0.999)), wanted[1:4]])
    found = decode(maps, (0, 0, SIZE, SIZE), 0.5)
    assert len(found) == 2
    for x, y, side in heads:
        box = pytest.approx((x - side / 2, y - side / 2, x + side / 2, y + side / 2), abs=0.01)
        assert any(head.box == box for head in found)


def test_target_ignores_heads_that_are_mostly_outside():
    wanted = target([(2.0, 128.0, 120.0)])
    assert (wanted[0] == -1).any() and not (wanted[0] > 0).any() and not wanted[4].any()
    assert not target([]).any()


def test_views_carry_their_boxes_along():
    """If the photo is turned, mirrored and scaled, the box still marks the white square."""
    photo = Image.new("RGB", (288, 288), "black")
    ImageDraw.Draw(photo).rectangle((60, 90, 159, 189), fill="white")
    behind = Image.new("RGB", (64, 64), "black")
    for seed in range(30):
        view, [(x, y, side)] = view_of(photo, [(60, 90, 160, 190)], behind, random.Random(seed))
        assert view.size == (SIZE, SIZE) and 20 < side < 240
        if 4 <= x < SIZE - 4 and 4 <= y < SIZE - 4:
            assert view.getpixel((int(x), int(y)))[0] > 100
        inside = see(view, (x - 0.2 * side, y - 0.2 * side, x + 0.2 * side, y + 0.2 * side), (16, 16)).convert("L")
        assert sum(inside.tobytes()) / 256 > 60
        beyond = (x + 1.2 * side, y + 1.2 * side)
        if all(0 <= v < SIZE for v in beyond):
            assert view.getpixel(tuple(map(int, beyond)))[0] < 180


def test_each_part_of_the_loss_teaches():
    torch.manual_seed(0)
    maps = torch.randn(2, 4, CELLS, CELLS, requires_grad=True)
    targets = torch.stack([target([(70.0, 90.0, 60.0)]), target([])])
    loss, parts = finder_loss(maps, targets)
    assert loss.isfinite() and set(parts) == {"heat", "place", "size"}
    for name, channels in (("heat", [0]), ("place", [1, 2]), ("size", [3])):
        (gradient,) = torch.autograd.grad(parts[name], maps, retain_graph=True)
        moved = {c for c in range(4) if gradient[:, c].any()}
        assert moved == set(channels), name
    perfect = torch.cat([torch.logit(targets[:, :1].clamp(1e-4, 1 - 1e-4)), targets[:, 1:4]], dim=1)
    assert finder_loss(perfect, targets)[0] < 0.2 * loss


def photo_of(name: str, boxes=(), kind: str = "dog") -> Labelled:
    return Labelled(Path(name), list(boxes), kind)


def test_scoring():
    dog = photo_of("a.jpg", [(100, 100, 200, 180)])
    right = Head((105, 95, 195, 185), 0.9)
    assert located(dog, [right]) and not located(dog, [])
    assert not located(dog, [Head((145, 95, 235, 185), 0.9)]), "the centre is too far off"
    assert not located(dog, [Head((60, 50, 240, 230), 0.9)]), "too large"
    assert not located(dog, [Head((300, 300, 390, 390), 0.9), right]), "only the best counts"
    photos, seen = [dog, photo_of("b.jpg", kind="cat"), photo_of("c.jpg", kind="cat")], [[right], [right], []]
    low, high = curve(photos, seen, (0.5, 0.95))
    assert (low["dog"], low["located"], low["cat"], low["thing"]) == (1, 1, 0.5, None)
    assert (high["dog"], high["located"], high["cat"]) == (0, 0, 0)
    assert overlaps([dog], [[Head((100, 100, 200, 180), 0.9)]], 0.5).tolist() == [1]
    assert overlaps([dog], [[right]], 0.95).tolist() == [0]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> Path:
    """DATA with two dozen drawn photos, labelled."""
    data = tmp_path_factory.mktemp("labelled")
    (data / "photos").mkdir()
    rows = ["file,split,source,boxes"]
    for i, split in enumerate(["train"] * 16 + ["val"] * 4 + ["test"] * 4):
        name, boxes = (f"dog_{i}.png", "[[40, 30, 140, 130]]") if i % 2 else (f"thing_{i}.png", "[]")
        photo = Image.new("RGB", (200, 160), "olive")
        if i % 2:
            photo.paste(draw_dog(i, 100), (40, 30))
        photo.save(data / "photos" / name)
        rows.append(f'{name},{split},drawn,"{boxes}"')
    (data / "photos.csv").write_text("\n".join(rows) + "\n")
    return data


def test_training_from_photos_to_weights(labelled, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_finder, "VIEWS", {"dog": 2, "cat": 1, "animal": 1, "thing": 1})
    train_finder.main(["--data", str(labelled), "--out", str(tmp_path), "--epochs", "2", "--width", "8"])
    assert "2 dogs: head found" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["sha256"] == sha256(tmp_path / "model.safetensors") and metrics["views"] > 16
    assert metrics["test"]["photos"] == {"dog": 2, "cat": 0, "animal": 0, "thing": 2}
    assert DogFinder(tmp_path).threshold == metrics["threshold"]


def test_training_says_what_is_wrong_with_the_data(tmp_path):
    with pytest.raises(SystemExit) as caught:
        train_finder.main(["--data", str(tmp_path), "--out", str(tmp_path)])
    assert "photos.csv" in str(caught.value.code) and "\n" not in str(caught.value.code)


@pytest.mark.parametrize("harm", ["no config", "bad config", "no weights", "cut off", "another network", "no trunk"])
def test_weights_that_are_missing_or_damaged(tmp_path, harm):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((WEIGHTS / "finder" / name).read_bytes())
    trunk = WEIGHTS / "dogvae"
    if harm == "no config":
        (tmp_path / "config.json").unlink()
    elif harm == "bad config":
        (tmp_path / "config.json").write_text('{"format": 1, "width": "wide", "size": 256, "threshold": 0.3}')
    elif harm == "no weights":
        (tmp_path / "model.safetensors").unlink()
    elif harm == "cut off":
        (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-999])
    elif harm == "another network":
        save_file(dict(HeadMaps(8).state_dict()), tmp_path / "model.safetensors")
    else:
        trunk = WEIGHTS / "classic"
    with pytest.raises(WeightsError) as caught:
        DogFinder(tmp_path, trunk)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_the_landed_finder_is_small_and_described():
    folder = WEIGHTS / "finder"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["sha256"] == sha256(folder / "model.safetensors")
    assert metrics["threshold"] == json.loads((folder / "config.json").read_text())["threshold"]
    assert f"{metrics['test']['at_threshold']['dog']:.1%}" in (folder / "README.md").read_text()


def test_on_real_photos(heads, finder):
    """Uses a part of the labelled photos, to be quick. training.train_finder --measure uses all."""
    test = read_labels(heads.parent, "test")
    dogs, others = [p for p in test if p.boxes][::10], [p for p in test if p.kind == "thing"][::10]
    seen = {p.path: finder.find(open_photo(p.path)) for p in (*dogs, *others)}
    assert sum(bool(seen[p.path]) for p in dogs) >= 0.9 * len(dogs)
    assert sum(located(p, seen[p.path]) for p in dogs) >= 0.7 * len(dogs)
    assert sum(bool(seen[p.path]) for p in others) <= 0.2 * len(others)
