"""Page, API and Python cut the same square out of a photo; and squares that a visitor chooses."""

import dataclasses
import io
import json
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from model import Config, Crop, DogFinder, DogVAE, NoDogError, PhotoError
from model.pixels import to_picture, to_tensor
from tests.support.tiny import ROOT, TINY, some_latents, tiny_vae
from ui.photo import ASIDE, DOUBT, see_photo
from ui.protocol import RequestError
from ui.studio import Studio

FACE = [[0.6, 0.5], [0.7, 0.5], [0.65, 0.66]]  # x and y as shares of the photo's sides


@pytest.fixture(scope="module")
def finder():
    return DogFinder()


@pytest.fixture(scope="module", params=["eyes", "box"])
def studio(request, finder) -> Studio:
    vae: DogVAE = tiny_vae(dataclasses.replace(TINY, frame=request.param))
    vae.latents = some_latents()
    return Studio(vae, finder)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    photo = Image.new("RGB", (800, 500), (90, 130, 70))
    photo.paste(Image.open(ROOT / "assets" / "dog-5.png").convert("RGB").resize((260, 260)), (460, 160))
    return photo


def file(photo: Image.Image) -> bytes:
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    return buffer.getvalue()


def ask(studio: Studio, photo: Image.Image, **wish) -> dict:
    """Asks for a photo as the page does."""
    return see_photo(studio, SimpleNamespace(files=[("photo.png", file(photo))], data={"wish": json.dumps(wish)}))


def same(z, crop: Image.Image, studio: Studio) -> bool:
    mu = studio.vae.encode(to_tensor(crop, studio.size)[None])[0][0]
    return (z - mu).abs().max() < 1e-4


def test_page_and_api_and_python_see_the_same_square(studio, finder, photo):
    frame = studio.vae.config.frame
    crop = finder.frame(photo, frame=frame)
    cut = crop.cut(photo, studio.size)
    answer = ask(studio, photo)
    assert answer["place"] == crop.to_json() and answer["size"] == [800, 500] and same(answer["z"], cut, studio)
    seen = studio.see(file(photo))
    assert same(seen.z, cut, studio) and seen.crop.tobytes() == to_picture(to_tensor(cut, studio.size)).tobytes()
    json.dumps({key: value for key, value in answer.items() if key != "z"})
    head = answer["heads"][0]
    assert answer["box"] == head["box"] and len(head["landmarks"]) == 3
    assert all(0 < v < 1 for point in head["landmarks"] for v in point)


def test_old_weights_see_the_very_pixels_that_they_saw(finder, photo):
    """Older weights name no frame in their config. They get a loose square in whole pixels, shrunk as before."""
    values = {key: value for key, value in Config().to_json().items() if key != "frame"}
    assert Config.from_json(values).frame == "box"
    x0, y0, x1, y1 = finder.find(photo)[0].box
    side = round(1.4 * (x1 - x0))
    left, top = round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2)
    before = photo.crop((left, top, left + side, top + side))
    crop = finder.frame(photo, frame=Config.from_json(values).frame)
    assert (to_tensor(before, 128) == to_tensor(crop.cut(photo, 128), 128)).all()


def test_an_unknown_frame_is_refused():
    with pytest.raises(ValueError, match="The frame 'nose' is unknown"):
        Config.from_json(Config().to_json() | {"frame": "nose"})


def test_squares_that_the_visitor_chose(studio, photo):
    frame = studio.vae.config.frame
    box = [0.55, 0.3, 0.9, 0.86]
    in_pixels = (440.0, 150.0, 720.0, 430.0)
    boxed = ask(studio, photo, box=box)
    assert boxed["box"] == box and boxed["heads"] == []
    if frame == "box":
        assert boxed["place"] == Crop.loose(in_pixels, photo.size).to_json()
    pointed = ask(studio, photo, landmarks=FACE)
    points = [(x * 800, y * 500) for x, y in FACE]
    if frame == "eyes":
        assert pointed["place"] == Crop.from_landmarks(points).to_json() and pointed["hint"] == ""
        assert pointed["landmarks"] == FACE
    whole = ask(studio, photo, whole=True)
    assert whole["place"] == Crop.middle(photo.size).to_json()
    again = ask(studio, photo, box=whole["box"])["place"]
    assert frame == "eyes" or again == whole["place"], "the box that is shown stands for the square"


def test_a_head_that_looks_aside_gets_one_sentence(studio, photo, monkeypatch):
    monkeypatch.setattr(studio.finder.landmarks, "certainty", torch.tensor([0.0, 0.0, 0.0, -9.0]))
    answer = ask(studio, photo)
    if studio.vae.config.frame == "eyes":
        assert answer["hint"] == ASIDE and answer["sure"] == 0
        assert answer["place"]["angle"] == 0 and answer["z"] is not None
        heads = [dataclasses.replace(head, score=0.4) for head in studio.finder.find(photo)]
        monkeypatch.setattr(studio.finder, "find", lambda photo: heads)
        assert ask(studio, photo)["hint"] == DOUBT
    else:
        assert "hint" not in answer, "old weights look at the box alone"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"landmarks": [[0.5, 0.5]] * 3}, "in one point"),
        ({"landmarks": [[0.4, 0.5], [0.6, 0.5], [0.5, 0.2]]}, "above the eyes"),
        ({"landmarks": [[0.4, 0.5], [0.6, 0.5]]}, "in the photo"),
        ({"landmarks": [[0.4, 0.5], [9, 0.5], [0.5, 0.2]]}, "in the photo"),
        ({"landmarks": "face"}, "."),
        ({"landmarks": [[float("nan"), 0.5], [0.6, 0.5], [0.5, 0.8]]}, "in the photo"),
    ],
)
def test_squares_that_can_not_be_taken(studio, photo, wish, words):
    with pytest.raises((PhotoError, RequestError)) as caught:
        ask(studio, photo, **wish)
    assert words in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_no_dog(studio):
    sea = Image.new("RGB", (400, 300), "navy")
    answer = ask(studio, sea)
    assert "z" not in answer and answer["box"] is None and "no dog's head" in answer["error"]
    with pytest.raises(NoDogError):
        studio.see(file(sea))


@pytest.mark.parametrize("part", [(0.2, 0.2, 0.8, 0.8), (0.3, 0.0, 1.0, 1.0)], ids=["larger", "at the edge"])
def test_a_face_whose_frame_reaches_beyond_the_photo(studio, finder, photo, part):
    """One photo shows the face only. In another, the photo's edge cuts off half an ear."""
    frame = finder.frame(photo, frame=studio.vae.config.frame)
    (left, top), side = (v - frame.side / 2 for v in frame.centre), frame.side
    tight = photo.crop([round(v + side * share) for v, share in zip((left, top) * 2, part)])
    answer = ask(studio, tight)
    assert answer["z"].isfinite().all()
    place = Crop.from_json(answer["place"])
    reach = max(abs(v - s / 2) for v, s in zip(place.centre, tight.size)) + place.side / 2
    assert studio.vae.config.frame == "box" or reach > max(tight.size) / 2
