"""The network that finds eyes and nose: its geometry, its training, and how well it does."""

import csv
import json
import math
import random
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from model import Crop, DogFinder, WeightsError, open_photo
from model.finder import SURE, WEIGHTS
from model.landmarks import SIZE, LandmarkMaps
from model.pretrained import sha256
from tests.support.tiny import draw_dog
from training.finder import landmarks as train_landmarks
from training.finder.agreement import Answer, answers_in_photos, answers_of, reliability, summary
from training.finder.faces import Pose, moved, read_aside, read_photos, read_upright, view_of
from training.finder.landmarks import calibrate, face_loss

PHOTO = Image.new("RGB", (640, 480), "olive")


def test_a_head_comes_with_its_landmarks(finder, dog):
    [head] = finder.find(dog)
    left, right, nose = head.landmarks
    assert 500 < left[0] < right[0] < 720 and nose[1] > max(left[1], right[1]) and 0 <= head.sure <= 1
    assert finder.head_in(dog, head.box).landmarks == head.landmarks
    assert finder.frame(dog).side == pytest.approx(finder.frame(dog, head).side)


def test_a_turned_photo_has_a_turned_frame(finder, dog):
    """If the photo is turned, the frame turns with it, so the crop stays upright."""
    turned = dog.rotate(-15, Image.Resampling.BICUBIC, center=(610, 310), fillcolor=(90, 130, 70))
    straight, leaning = (finder.frame(photo, finder.find(photo)[0]) for photo in (dog, turned))
    assert math.degrees(leaning.angle - straight.angle) == pytest.approx(15, abs=6)
    assert leaning.side == pytest.approx(straight.side, rel=0.2)


def test_no_squares_no_faces_and_no_dog_is_unsure(finder):
    assert finder.landmarks.find(PHOTO, []) == []
    faces = finder.landmarks.find(PHOTO, [Crop.around((100, 100, 300, 300)), Crop.around((-50, 300, 100, 450))])
    assert len(faces) == 2 and all(face.sure < SURE for face in faces)
    assert all(math.isfinite(v) for face in faces for point in face.points for v in point)


def test_heads_that_overlap_keep_their_own_faces(finder, dog):
    box = finder.find(dog)[0].box
    beside = tuple(v + shift for v, shift in zip(box, (-60, 30, -60, 30)))
    alone = [finder.landmarks.find(dog, [Crop.around(b)])[0] for b in (box, beside)]
    together = finder.landmarks.find(dog, [Crop.around(b) for b in (box, beside)])
    for one, other in zip(alone, together):
        for a, b in zip(one.points, other.points):
            assert a == pytest.approx(b, abs=2)


def test_a_look_that_sees_no_face_stays_unsure(finder, monkeypatch):
    """The network may answer with a single point, an upside-down face, or NaN."""
    for points in ([[0.5, 0.5]] * 3, [[0.3, 0.6], [0.7, 0.6], [0.5, 0.2]], [[math.nan, 0.5]] * 3):
        answer = torch.tensor([points]), torch.tensor([9.0])
        monkeypatch.setattr(finder.landmarks, "places_in", lambda views, answer=answer: answer)
        [face] = finder.landmarks.find(PHOTO, [Crop.around((100, 100, 300, 300))])
        assert face.sure == 0


# ---- Training data


def face(width: int = 256) -> Image.Image:
    """A square whose eyes are red and green and whose nose is blue."""
    picture = Image.new("RGB", (width, width), (120, 120, 120))
    for (x, y), colour in zip(POINTS, ("red", "lime", "blue")):
        ImageDraw.Draw(picture).ellipse((x - 12, y - 12, x + 12, y + 12), fill=colour)
    return picture


POINTS = ((82.0, 110.0), (174.0, 110.0), (128.0, 178.0))


def test_views_carry_their_landmarks_along(monkeypatch):
    """If the head is turned, mirrored, moved and scaled, each landmark still marks its coloured dot."""
    monkeypatch.setattr("training.finder.faces.relight", lambda view, rng: view)
    pose = Pose(Path("face.png"), "upright", Crop.middle((256, 256)), POINTS, 1)
    mirrored = 0
    for seed in range(30):
        view, points = view_of(pose, face(), random.Random(seed))
        assert view.size == (SIZE, SIZE) and points.shape == (3, 2)
        assert points[0, 0] < points[1, 0], "the left eye is the one on the left, in the mirror too"
        colours = []
        for x, y in points.tolist():
            colours.append(view.getpixel((round(x * SIZE - 0.5), round(y * SIZE - 0.5))) if max(x, y) < 0.97 else None)
        strongest = [max(range(3), key=lambda c, colour=colour: colour[c]) if colour else None for colour in colours]
        assert strongest[2] in (2, None) and {*strongest[:2]} - {None} <= {0, 1}, (seed, colours)
        mirrored += strongest[0] == 1
    assert 5 < mirrored < 25


def test_views_without_landmarks_say_so():
    pose = Pose(Path("sea.png"), "other", Crop.middle((256, 256)), None, 0)
    assert view_of(pose, face(), random.Random(0))[1].isnan().all()


def test_views_are_turned_moved_and_scaled_far_enough():
    rng, square = random.Random(0), Crop((100, 100), 100)
    seen = [moved(square, rng) for _ in range(400)]
    assert max(abs(math.degrees(crop.angle)) for crop in seen) > 25
    assert max(abs(crop.centre[0] - 100) for crop in seen) > 10
    assert min(crop.side for crop in seen) < 80 and max(crop.side for crop in seen) > 125


def test_each_part_of_the_loss_teaches():
    torch.manual_seed(0)
    maps = LandmarkMaps(16)
    features = [torch.randn(4, c, s, s) for c, s in ((40, 16), (112, 8), (320, 4))]
    wanted, sure = torch.rand(4, 3, 2) * 0.6 + 0.2, torch.tensor([1.0, 0.0, math.nan, 1.0])
    wanted[1] = math.nan
    outputs = maps(*features)
    loss, parts = face_loss(*outputs, wanted, sure)
    assert loss.isfinite() and set(parts) == {"place", "maps", "seen"}
    for name, taught in (("place", "out.weight"), ("maps", "out.weight"), ("seen", "seen.weight")):
        maps.zero_grad()
        parts[name].backward(retain_graph=True)
        gradient = dict(maps.named_parameters())[taught].grad
        assert gradient.isfinite().all() and gradient.any(), name
    empty, _ = face_loss(*outputs, torch.full((4, 3, 2), math.nan), torch.full((4,), math.nan))
    assert empty == 0, "what is not known is not learned"


def test_a_face_can_be_learned():
    """If the features mark the places directly, a few steps are enough to learn them."""
    torch.manual_seed(0)
    maps, wanted = LandmarkMaps(16), torch.rand(8, 3, 2) * 0.8 + 0.1
    fine = torch.zeros(8, 40, 16, 16)
    for i, places in enumerate(wanted):
        for mark, (x, y) in enumerate((16 * places).int().tolist()):
            fine[i, mark, y, x] = 8.0
    features = [fine, torch.zeros(8, 112, 8, 8), torch.zeros(8, 320, 4, 4)]
    optimizer = torch.optim.Adam(maps.parameters(), 1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        face_loss(*maps(*features), wanted, torch.ones(8))[0].backward()
        optimizer.step()
    points, _, seen = maps(*features)
    assert (points - wanted).norm(dim=-1).mean() < 0.04 and (seen > 1).all()


def answer(logit: float, right: bool) -> Answer:
    return Answer(POINTS, 0.0, right, 0.01, 0.02, right, torch.tensor([logit, -4.0, -3.0]))


def test_certainty_is_calibrated():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(600, generator=generator)
    right = torch.rand(600, generator=generator) < torch.sigmoid(2 * logits + 1)
    answers = [answer(logit, is_right) for logit, is_right in zip(logits.tolist(), right.tolist())]
    weights = calibrate(answers)
    assert weights[0] == pytest.approx(2, abs=0.5) and all(map(math.isfinite, weights))
    for a in answers:
        a.sure = torch.sigmoid(a.signs @ torch.tensor(weights[:-1]) + weights[-1]).item()
    for held in reliability(answers):
        assert held["says"] == pytest.approx(held["right"], abs=0.15)


def test_scoring():
    known = [Answer(POINTS, 0.9, True, 0.01, 0.02, True), Answer(POINTS, 0.2, True, 0.05, 0.06, False)]
    told = summary([*known, Answer(POINTS, 0.9, False)])
    assert told["heads"] == 2 and told["error"] == pytest.approx(0.03) and told["frame_right"] == 0.5
    assert told["sure"] == 0.5 and told["sure_error"] == pytest.approx(0.01) and told["sure_frame_right"] == 1


# ---- Training, from data to weights


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """DATA with drawn heads and photos and their landmarks."""
    data = tmp_path_factory.mktemp("faces")
    (data / "photos").mkdir()
    rows = [["file", "split", "source", "boxes", "landmarks"]]
    for i, split in enumerate(["train"] * 6 + ["val"] * 4 + ["test"] * 4):
        photo, name = Image.new("RGB", (200, 160), "olive"), f"dog_{i}.png" if i % 2 else f"thing_{i}.png"
        boxes, marks = [], []
        if i % 2:
            photo.paste(draw_dog(i, 100), (40, 30))
            points, spread = [[75, 72], [100, 72], [90, 92]], 0.01 if i % 4 == 1 else 0.2
            boxes, marks = [[40, 30, 140, 130]], [{"points": points, "spread": spread}]
        photo.save(data / "photos" / name)
        rows.append([name, split, "drawn", json.dumps(boxes), json.dumps(marks)])
    with open(data / "photos.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    for split in ("train", "val"):
        for kind in (split, f"aside/{split}"):
            (data / "heads" / kind).mkdir(parents=True)
            for i in range(4):
                draw_dog(i, 256).save(data / "heads" / kind / f"{i}.webp")
        with open(data / "heads" / f"{split}.csv", "w", encoding="utf-8", newline="") as file:
            names = ["file", *(f"{mark}_{axis}" for mark in ("left", "right", "nose") for axis in "xy")]
            csv.writer(file).writerows([names, *([f"{i}.webp", 92, 108, 156, 108, 128, 160] for i in range(4))])
    return data


def test_what_is_read(data):
    assert len(read_upright(data / "heads", "train")) == len(read_aside(data / "heads", "train")) == 4
    kinds = [(pose.kind, pose.sure, pose.points is not None) for pose in read_photos(data, "train")]
    assert sorted(kinds) == sorted([("photo", 1, True)] * 2 + [("photo", 0, False)] + [("other", 0, False)] * 3)


def test_training_from_pictures_to_weights(data, tmp_path, capsys):
    before = {"test": None, "kept": 1}
    (tmp_path / "metrics.json").write_text(json.dumps({"kept": before["kept"]}))
    train_landmarks.main(["--data", str(data), "--out", str(tmp_path), "--epochs", "1", "--width", "8"])
    assert "turned by up to 25 degrees" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["kept"] == 1, "the finder's own numbers stay"
    assert metrics["landmarks"]["sha256"] == sha256(tmp_path / "landmarks.safetensors")
    assert metrics["landmarks"]["val"]["heads"] == 4 and metrics["landmarks"]["views"] == 17
    assert DogFinder(landmarks=tmp_path).landmarks.certainty.shape == (4,)


def test_training_says_what_is_wrong_with_the_data(data, tmp_path):
    with pytest.raises(SystemExit) as caught:
        train_landmarks.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert "train.csv" in str(caught.value.code) and "\n" not in str(caught.value.code)


@pytest.mark.parametrize("harm", ["no config", "bad config", "no weights", "cut off", "another network"])
def test_weights_that_are_missing_or_damaged(tmp_path, harm):
    for name in ("landmarks.json", "landmarks.safetensors"):
        (tmp_path / name).write_bytes((WEIGHTS / "finder" / name).read_bytes())
    if harm == "no config":
        (tmp_path / "landmarks.json").unlink()
    elif harm == "bad config":
        (tmp_path / "landmarks.json").write_text('{"format": 1, "width": 64, "certainty": [1, 2, 3, NaN]}')
    elif harm == "no weights":
        (tmp_path / "landmarks.safetensors").unlink()
    elif harm == "cut off":
        whole = (tmp_path / "landmarks.safetensors").read_bytes()
        (tmp_path / "landmarks.safetensors").write_bytes(whole[:-999])
    else:
        save_file(dict(LandmarkMaps(8).state_dict()), tmp_path / "landmarks.safetensors")
    with pytest.raises(WeightsError) as caught:
        DogFinder(landmarks=tmp_path)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_the_landed_landmarks_are_small_and_described():
    folder = WEIGHTS / "finder"
    assert (folder / "landmarks.safetensors").stat().st_size < 1_000_000
    metrics = json.loads((folder / "metrics.json").read_text())["landmarks"]
    assert metrics["sha256"] == sha256(folder / "landmarks.safetensors")
    assert metrics["val"]["error"] <= 0.03 and metrics["test"]["error"] <= 0.035
    assert f"{metrics['test']['error']:.4f}" in (folder / "README.md").read_text()


def test_on_real_heads(heads, finder):
    """Uses a part of val, turned, moved and scaled, to be quick. train_landmarks --measure uses all."""
    upright = summary(answers_of(finder.landmarks, read_upright(heads, "val")[::10], "heads"))
    assert upright["error"] < 0.035 and upright["frame_right"] > 0.85 and upright["sure"] > 0.7
    aside = answers_of(finder.landmarks, read_aside(heads, "val")[::8], "aside")
    assert sum(a.sure >= SURE for a in aside) < 0.5 * len(aside)


def test_on_real_photos(heads, finder):
    dogs = [pose for pose in read_photos(heads.parent, "test") if pose.sure == 1][::6]
    answers, missed = answers_in_photos(finder, dogs)
    assert missed <= 2 and summary(answers)["error"] < 0.045 and summary(answers)["frame_right"] > 0.8


def test_a_real_head_comes_out_upright(heads, finder):
    """The known landmarks of a photo must lie in their usual places in its crop."""
    pose = next(pose for pose in read_photos(heads.parent, "test") if pose.sure == 1)
    photo = open_photo(pose.path)
    crop = finder.frame(photo)
    mine, wanted = (square.to_square(torch.tensor(pose.points)) for square in (crop, Crop.from_landmarks(pose.points)))
    assert (mine - wanted).norm(dim=-1).mean() < 0.06
