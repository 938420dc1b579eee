"""The square of a photo that belongs to a head: how it is chosen, cut out and put back."""

import csv
import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter
from torchvision.transforms.v2 import functional as TF

from model import Crop, PhotoError
from model.crop import MARGIN, RAISED, ZOOM

FACE = ((82.0, 110.0), (174.0, 110.0), (128.0, 178.0))  # as in a 256 px picture of the training set


def scene(size: tuple[int, int] = (600, 400)) -> Image.Image:
    """Soft colours and a few edges."""
    noise = [Image.effect_noise(size, 90).filter(ImageFilter.GaussianBlur(12)) for _ in range(3)]
    photo = Image.merge("RGB", [band.point(lambda v: max(0, min(255, 6 * (v - 128) + 128))) for band in noise])
    ImageDraw.Draw(photo).ellipse((220, 120, 380, 280), fill=(200, 150, 90))
    return photo


def apart(a: Image.Image, b: Image.Image) -> torch.Tensor:
    return (TF.pil_to_tensor(a).float() - TF.pil_to_tensor(b).float()).abs()


def turned(points, about: tuple[float, float], angle: float, scale: float = 1.0) -> tuple:
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    moved = [(x - about[0], y - about[1]) for x, y in points]
    return tuple((about[0] + cos * x - sin * y, about[1] + sin * x + cos * y) for x, y in moved)


# ---- Which square


@pytest.mark.parametrize("degrees", [-25, 0, 10, 25])
@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_the_frame_follows_the_face(degrees, scale):
    upright = Crop.from_landmarks(FACE)
    frame = Crop.from_landmarks(turned(FACE, (300, 200), math.radians(degrees), scale))
    assert frame.side == pytest.approx(scale * upright.side) and frame.angle == pytest.approx(math.radians(degrees))
    assert frame.centre == pytest.approx(turned([upright.centre], (300, 200), math.radians(degrees), scale)[0])


def test_eyes_lie_level_at_one_place_in_the_frame():
    face = turned(FACE, (300, 200), 0.3, 1.7)
    left, right, nose = Crop.from_landmarks(face).to_square(torch.tensor(face)).tolist()
    assert left[1] == pytest.approx(0.43, abs=1e-3) and right[1] == pytest.approx(0.43, abs=1e-3)
    assert (left[0], right[0]) == pytest.approx((0.5 - 0.18, 0.5 + 0.18), abs=1e-3)
    assert nose == pytest.approx([0.5, 0.43 + 68 / 92 * 0.36], abs=1e-3)


def test_a_head_that_looks_aside_is_framed_with_its_muzzle():
    frame = Crop.from_landmarks(((100, 100), (130, 100), (60, 170)))  # eyes close together, nose far to the left
    assert frame.centre[0] < 115 and frame.side == pytest.approx(math.hypot(55, 70) / 0.335)
    assert 0 < frame.angle < 0.25, "half of the lean, held, and not all of its weight"
    mirrored = Crop.from_landmarks(((-130, 100), (-100, 100), (-60, 170)))
    assert mirrored.angle == pytest.approx(-frame.angle) and mirrored.centre[0] == pytest.approx(-frame.centre[0])


def test_left_and_right_are_as_seen():
    assert Crop.from_landmarks((FACE[1], FACE[0], FACE[2])) == Crop.from_landmarks(FACE)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([(5, 5)] * 3, "in one point"),
        ([(82, 110), (174, 110), (128, 60)], "above the eyes"),
        ([(82, 110), (174, 110), (128, 110)], "above the eyes"),
        ([(82, 110), (174, 110)], "two eyes and a nose"),
        ([(82, 110), (174, 110), 128], "two eyes and a nose"),
        ([(math.nan, 110), (174, 110), (128, 178)], "not numbers"),
        ([(82, 110), (math.inf, 110), (128, 178)], "not numbers"),
    ],
)
def test_points_that_are_no_face(points, words):
    with pytest.raises(PhotoError, match=words) as caught:
        Crop.from_landmarks(points)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_the_rule_is_that_of_the_training_set(heads):
    """Each picture is already a frame, so the frame of its landmarks must be the whole picture."""
    off = []
    for split in ("train", "val"):
        with open(heads / f"{split}.csv", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                points = [(float(row[f"{mark}_x"]), float(row[f"{mark}_y"])) for mark in ("left", "right", "nose")]
                frame = Crop.from_landmarks(points)
                away = math.dist(frame.centre, (128, 128))
                off.append([away, abs(frame.side - 256), abs(math.degrees(frame.angle))])
    off = torch.tensor(off)
    assert (off.mean(0) < torch.tensor([0.2, 0.2, 0.6])).all(), off.mean(0)
    # The angle has no such bound: a head that looks aside is turned by half of its remaining lean.
    assert off[:, 0].max() < 4 and off[:, 1].max() < 0.5


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.tuples(*[st.floats(-4000, 4000)] * 4))
def test_a_loose_square_lies_in_the_photo(width, height, corners):
    a, b, c, d = corners
    crop = Crop.loose((min(a, c), min(b, d), max(a, c), max(b, d)), (width, height))
    (x0, y0), _, (x1, y1), _ = crop.corners()
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height and x1 - x0 == y1 - y0
    assert all(v == round(v) for v in (x0, y0, x1, y1)), "whole pixels"


def test_loose_squares_are_as_the_first_weights_learned_them():
    def box(*args) -> tuple:
        (x0, y0), _, (x1, y1), _ = Crop.loose(*args).corners()
        return x0, y0, x1, y1

    assert box((200, 150, 300, 250), (640, 480)) == (180, 130, 320, 270)
    assert box((-10, 400, 90, 500), (640, 480)) == (0, 340, 140, 480), "moved inside, not padded"
    assert box((0, 0, 600, 600), (640, 480)) == (60, 0, 540, 480), "at most the largest square"


def test_a_square_in_whole_pixels_is_what_pillow_cuts():
    photo = scene()
    crop = Crop.loose((200, 100, 341, 230), photo.size)
    box = [round(v) for corner in (crop.corners()[0], crop.corners()[2]) for v in corner]
    wanted = photo.crop(box).resize((128, 128), Image.Resampling.LANCZOS)
    assert crop.cut(photo, 128).tobytes() == wanted.tobytes()


def test_squares_and_boxes():
    around, box = Crop.around((100, 100, 200, 180)), (100, 90, 200, 190)
    assert around.side == pytest.approx(ZOOM * 100)
    assert around.centre == (150, pytest.approx(140 - RAISED * around.side))
    assert around.head("eyes") == pytest.approx(box)
    assert Crop.loose(box, (640, 480)).head("box") == pytest.approx(box) and MARGIN == 1.4
    assert Crop.middle((301, 200)) == Crop((150, 100), 200)


# ---- Cut


@pytest.mark.parametrize("side", [60, 150, 333])
def test_cut_and_place_agree(side):
    """A dot in the photo appears in the cut where `to_square` says."""
    crop = Crop((300.3, 190.7), side, 0.4)
    photo, place = Image.new("RGB", (600, 400)), torch.tensor([[0.3, 0.7]])
    x, y = crop.to_photo(place)[0].tolist()
    ImageDraw.Draw(photo).ellipse((x - side / 20, y - side / 20, x + side / 20, y + side / 20), fill="white")
    seen = TF.pil_to_tensor(crop.cut(photo, 100))[0].float()
    steps = torch.arange(100) + 0.5
    found = (seen.sum(0) @ steps / seen.sum() / 100).item(), (seen.sum(1) @ steps / seen.sum() / 100).item()
    assert found == pytest.approx((0.3, 0.7), abs=0.012)
    assert crop.to_square(crop.to_photo(place)).tolist()[0] == pytest.approx([0.3, 0.7])


@pytest.mark.parametrize("side", [900, 1500])
def test_shrinking_is_antialiased(side):
    stripes = TF.to_pil_image((torch.arange(1600) % 2 * 255).to(torch.uint8).expand(3, 1600, 1600))
    seen = TF.pil_to_tensor(Crop((800.5, 800), side, 0.01).cut(stripes, 64)).float()
    assert (seen - 127.5).abs().max() < 24, "no moire"


@pytest.mark.parametrize(
    "crop",
    [Crop((300, 200), 900, 0.3), Crop((10, 390), 300, -0.4), Crop((300, 200), 2300, 0), Crop((-40, 200), 200, 0.1)],
    ids=["larger than the photo", "in a corner", "nearly as large as may be", "its centre beyond the edge"],
)
def test_beyond_the_edge_the_photo_goes_on_blurred(crop):
    photo = scene()
    cut = crop.cut(photo, 128)
    depth = crop._depth(photo.size, 128)
    beyond = (depth < 0).float().mean().item()
    assert cut.size == (128, 128) and crop.outside(photo.size) == pytest.approx(beyond, abs=0.02)
    grey = TF.pil_to_tensor(cut.convert("L")).float()[0]
    rough = (grey[:, 1:] - grey[:, :-1]).abs()
    beyond = (depth < -0.1)[:, 1:]
    assert beyond.any() and rough[beyond].max() < 25, "no edge beyond the photo's"
    assert grey[depth < -0.1].min() > 0, "nor black"


def test_at_the_edge_the_continuation_is_a_mirror_image():
    photo = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(photo).rectangle((0, 0, 199, 99), fill="black")
    grey = TF.pil_to_tensor(Crop((0, 100), 200, 0.0).cut(photo, 100).convert("L"))[0].float()
    assert grey[:30].max() < 60 and grey[70:].min() > 195
    assert grey[:, 70][49] < 40 and grey[:, 70][52] > 215, "sharp inside"


@pytest.mark.parametrize("square", [(900, 200, 300), (300, 200, 2500), (math.nan, 9, 9), (9, 9, 0), (9, 9, math.nan)])
def test_squares_that_do_not_lie_in_the_photo(square):
    crop = Crop(square[:2], square[2])
    for act in (lambda: crop.cut(scene(), 64), lambda: crop.paste(scene(), Image.new("RGB", (64, 64)))):
        with pytest.raises(PhotoError, match="does not lie in the photo"):
            act()


def test_the_smallest_photo():
    assert Crop.middle((1, 1)).cut(Image.new("RGB", (1, 1), "red"), 32).getcolors() == [(1024, (255, 0, 0))]
    assert Crop((0.5, 0.5), 3, 0.2).cut(Image.new("RGB", (1, 1), "red"), 32).getcolors() == [(1024, (255, 0, 0))]


# ---- Paste


@pytest.mark.parametrize(
    "crop",
    [Crop((310, 190), 180, 0.35), Crop((300, 200), 200), Crop((590, 30), 200, -0.6), Crop((300, 200), 800, 0.1)],
    ids=["turned", "straight", "in a corner", "larger than the photo"],
)
def test_what_was_cut_is_pasted_where_it_was(crop):
    photo = scene()
    back = crop.paste(photo, crop.cut(photo, 2 * math.ceil(crop.side)))
    assert back.size == photo.size and apart(back, photo).mean() < 1 and apart(back, photo).quantile(0.999) < 40


def test_a_picture_is_pasted_upright_into_its_place_and_nowhere_else():
    photo, crop = scene(), Crop((250, 210), 160, 0.5)
    picture = Image.new("RGB", (128, 128), (90, 90, 90))
    ImageDraw.Draw(picture).rectangle((64, 44, 84, 64), fill="white")
    untouched, pasted = photo.copy(), crop.paste(photo, picture)
    x, y = map(round, crop.to_photo(torch.tensor([74 / 128, 54 / 128])).tolist())
    assert min(pasted.getpixel((x, y))) > 200
    assert photo.tobytes() == untouched.tobytes(), "the photo itself is left alone"
    depth = apart(pasted, photo).amax(0)
    rows, columns = (depth > 0).nonzero(as_tuple=True)
    places = crop.to_square(torch.stack([columns, rows], dim=1) + 0.5)
    assert places.min() > -0.03 and places.max() < 1.03


def test_its_edge_joins_the_light_of_the_photo():
    photo, crop = Image.new("RGB", (400, 400), (180, 140, 100)), Crop((200, 200), 200, 0.2)
    picture = Image.new("RGB", (128, 128), (130, 140, 130))
    ImageDraw.Draw(picture).ellipse((34, 34, 94, 94), fill=(40, 40, 40))
    pasted = crop.paste(photo, picture)
    x, y = map(round, crop.to_photo(torch.tensor([0.16, 0.5])).tolist())
    assert pasted.getpixel((x, y)) == pytest.approx((180, 140, 100), abs=10), "near its edge it is the photo's colour"
    assert max(pasted.getpixel((200, 200))) < 75, "and its middle keeps its own"


# ---- Stored and sent


def test_there_and_back_through_json():
    crop = Crop((12.345, 67.891), 200.5, -0.25)
    again = Crop.from_json(json.loads(json.dumps(crop.to_json())))
    assert (*again.centre, again.side, again.angle) == pytest.approx((12.345, 67.891, 200.5, -0.25), abs=0.01)
    assert Crop.from_json({"centre": [1, 2], "side": 3, "angle": 7}).angle == pytest.approx(7 - math.tau)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "crop",
        {},
        {"centre": [1, 2], "side": 3},
        {"centre": [1], "side": 3, "angle": 0},
        {"centre": [1, 2, 3], "side": 3, "angle": 0},
        {"centre": "12", "side": 3, "angle": 0},
        {"centre": [1, 2], "side": 0, "angle": 0},
        {"centre": [1, 2], "side": True, "angle": 0},
        {"centre": [1, math.nan], "side": 3, "angle": 0},
        {"centre": [1, 2], "side": math.inf, "angle": 0},
        {"centre": [1, 2], "side": 10**400, "angle": 0},
        {"centre": [1, 2], "side": 3, "angle": {}},
    ],
)
def test_what_is_no_crop(value):
    with pytest.raises(PhotoError) as caught:
        Crop.from_json(value)
    assert str(caught.value).startswith("A crop is") and str(caught.value).endswith(".")
