"""The messages between page and server, and the classes that answer them, called without a server."""

import asyncio
import base64
import io
import math
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image, ImageChops, ImageStat

from model import DogFinder, load
from model.photos import PhotoError
from tests.support.serving import PIXELS
from tests.support.threads import answered
from tests.support.tiny import LARGE, some_latents, tiny_vae
from ui.api import Api, Morph, Sample
from ui.looks import Named
from ui.nearer import Descents
from ui.pad import Pad, server_function
from ui.protocol import (
    ContactSheet,
    Draw,
    Enlarged,
    Move,
    Movie,
    PageQuestion,
    Question,
    RequestError,
    Seen,
    Thumbnails,
    Turn,
    Wish,
    read,
)
from ui.studio import LatentError, Studio
from ui.wall import Wall
from ui.worker import Busy, Gone, Worker, data_url

ROOT = Path(__file__).parent.parent
OURS = {"weights": "0123456789ab", "dim": 4}
DOG = [0.0] * 256
FILM = {"kind": "gif", "frames": 3, "name": "x", "dogs": [DOG, DOG]}


def questions(of: type = Question) -> set[type]:
    return {kind for sub in of.__subclasses__() for kind in {sub, *questions(sub)}}


def test_each_field_that_can_be_wrong_says_what_is_right():
    for question in questions() - {Wish}:  # a visitor only draws its box, and knows no field names
        for name, field in question.model_fields.items():
            text = field.description
            assert (question, name) == (Move, "values") or (text.endswith(".") and "\n" not in text), (question, name)


@pytest.mark.parametrize(
    "question, data, sentence",
    [
        (Draw, None, "The seed and the temperature are numbers."),
        (Draw, {"seed": "7", "temperature": 1}, "The seed and the temperature are numbers."),
        (Draw, {"seed": True, "temperature": 1}, "The seed and the temperature are numbers."),
        (Draw, {"seed": math.inf, "temperature": 1}, "The seed and the temperature are numbers."),
        (Draw, {"seed": 7, "temperature": 10**400}, "The seed and the temperature are numbers."),
        (Draw, {"seed": 7, "temperature": 1, "keep": [[4, 0.0]]}, "What is locked are directions"),
        (Draw, {"seed": 7, "temperature": 1, "keep": [[-1, 0.0]]}, "What is locked are directions"),
        (Draw, {"seed": 7, "temperature": 1, "keep": [[1, math.nan]]}, "What is locked are directions"),
        (Draw, {"seed": 7, "temperature": 1, "keep": [[1, 2e5]]}, "What is locked are directions"),
        (Draw, {"seed": 7, "temperature": 1, "keep": [[1]]}, "What is locked are directions"),
        (Draw, {"seed": "dog", "weights": "ba9876543210"}, "has been changed; reload the page"),
        (PageQuestion, {"weights": 7}, "has been changed; reload the page"),
        (Move, {"space": "elsewhere"}, "along directions, by its raw numbers, or on the map"),
        (Turn, {"page": "x" * 65, "number": 1}, "at most 64 characters"),
        (Thumbnails, {"dogs": [DOG] * 33}, "This takes a list of 1 to 32 dogs."),
        (Thumbnails, {"dogs": "dogs"}, "This takes a list of 1 to 32 dogs."),
        (ContactSheet, {}, "This takes a list of 1 to 64 dogs."),
        (Wall, {"temperature": 1}, "A wall is of 1 to 12 dogs"),
        (Wall, {"temperature": 1, "seeds": list(range(13))}, "A wall is of 1 to 12 dogs"),
        (Wall, {"temperature": 1, "seeds": [1, "2"]}, "A wall is of 1 to 12 dogs"),
        (Enlarged, {"side": 1025}, "A picture is saved at up to 1024 pixels"),
        (Enlarged, {}, "A picture is saved at up to 1024 pixels"),
        (Movie, FILM | {"side": -1}, "A picture is saved at up to 1024 pixels"),
        (Movie, FILM | {"kind": ["gif"]}, "A film is a gif or an mp4 of 2 to 60 frames."),
        (Movie, FILM | {"frames": 3.0}, "A film is a gif or an mp4 of 2 to 60 frames."),
        (Movie, FILM | {"name": 7}, "A film has a name"),
        (Movie, FILM | {"dogs": [DOG] * 3}, "A film leads from one dog to another."),
        (Sample, {"n": 1.5, "temperature": 1, "seed": 1}, "n is a whole number from 1 to 64."),
        (Sample, {"n": 1, "temperature": None, "seed": 1}, "not of the kind"),
        (Sample, {"n": 1, "temperature": 1, "seed": 2**53}, "The seed is a whole number from 0 to 9007199254740991."),
        (Morph, {"frames": 61}, "frames is a whole number from 2 to 60."),
    ],
)
def test_a_wrong_value_gets_its_sentence(question, data, sentence):
    with pytest.raises(RequestError, match=sentence):
        read(question, data, **OURS)


def test_right_values_are_taken():
    asked = read(Draw, {"seed": 7.0, "temperature": 1, "keep": [[3, 2]], "weights": OURS["weights"], "x": 1}, **OURS)
    assert (asked.seed, asked.temperature, asked.keep) == (7, 1.0, [(3, 2.0)])
    assert read(Draw, {"seed": 10**30, "temperature": 1, "keep": None}, **OURS).keep is None
    assert read(Move, {"values": [1]}, **OURS) == Move(space="directions", values=[1], still=False)


def wish(text: str | None, *files: bytes) -> SimpleNamespace:
    """An upload in the form that Gradio passes on."""
    return SimpleNamespace(data={} if text is None else {"wish": text}, files=[("dog.png", data) for data in files])


def test_a_wish():
    assert Wish.of(wish(None)) == Wish.of(None) == Wish.of(wish("{}")) == Wish(turns=0, box=None, whole=False)
    assert Wish.of(wish('{"turns": -1, "box": [0, 0.5, 1, 1]}')) == Wish(turns=3, box=(0.0, 0.5, 1.0, 1.0))
    for text in ('{"turns": "1"}', '{"box": [0, 0, 0, 1]}', '{"box": [0, 0, 1, 1, 1]}', '{"box": [0, 0, NaN, 1]}', "7"):
        with pytest.raises(RequestError, match="The box does not lie in the photo"):
            Wish.of(wish(text))


# ---- The classes, with the real model


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(load(ROOT / "weights" / "dogvae"), DogFinder())


@pytest.fixture
def pad(studio):
    return Pad(studio, Worker())


def picture(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_a_random_dog_and_the_same_by_its_numbers(pad):
    dog = answered(pad.draw({"seed": 7, "temperature": 1}))
    assert picture(dog["picture"]).format == "PNG" and len(dog["c"]) == 256
    assert answered(pad.load(dog["latent"]))["c"] == pytest.approx(dog["c"], abs=0.01)
    moving = answered(pad.move({"values": dog["c"]}))
    assert set(moving) == {"picture", "took", "decoding", "encoding"} and picture(moving["picture"]).format == "JPEG"
    still = answered(pad.move({"values": dog["latent"]["z"], "space": "raw", "still": True}))
    assert still["latent"] == dog["latent"]
    locked = answered(pad.draw({"seed": 7, "temperature": 1, "keep": [[5, 2.5], [0, -1]]}))
    assert [locked["c"][i] for i in (0, 5)] == pytest.approx([-1, 2.5], abs=1e-3)
    assert locked["c"][1:5] == pytest.approx(dog["c"][1:5], abs=1e-3)


def test_of_a_batch_only_the_wrong_moves_fail(pad):
    moves = [{"values": DOG}, {"values": DOG[1:]}, {"values": [0.5, 2], "space": "map"}, {"values": DOG, "still": True}]
    answers = pad.draw_moves([read(Move, move, **OURS) for move in moves])
    moving = {"picture", "type", "decoding", "encoding"}
    assert [set(answer) for answer in answers] == [moving, {"error"}, {"error"}, moving | {"latent", "c"}]
    assert answers[0]["type"] == "image/jpeg" and answers[3]["type"] == "image/png"
    assert "256 numbers; this is 255" in answers[1]["error"]
    assert answers[2]["error"] == "A place on the map is two numbers from 0 to 1."


def test_of_one_batch_some_are_drawn_at_half_the_size():
    vae = tiny_vae(LARGE)
    vae.latents = some_latents()
    moves = [Move(values=[float(i)] * 16, half=i % 2 == 1) for i in range(4)]
    drawn = Pad(Studio(vae), Worker()).draw_moves(moves)
    seen = [Image.open(io.BytesIO(answer["picture"])) for answer in drawn]
    assert [one.size for one in seen] == [(64, 64), (32, 32)] * 2
    for i, whole in ((0, seen[0]), (2, seen[2])):
        alone = Pad(Studio(vae), Worker()).draw_moves([moves[i]])[0]["picture"]
        assert max(ImageStat.Stat(ImageChops.difference(Image.open(io.BytesIO(alone)), whole)).mean) < 1


def test_wrong_questions_raise(pad):
    for work, error in (
        (pad.draw({"seed": -1, "temperature": 1}), LatentError),
        (pad.draw({"seed": 1, "temperature": 3}), LatentError),
        (pad.move({"values": DOG, "weights": "ba9876543210"}), RequestError),
        (pad.load({"format": 2}), LatentError),
        (pad.reconstruct(wish(None)), PhotoError),
        (pad.explorer.thumbnails({"dogs": [DOG[1:]]}), LatentError),
    ):
        with pytest.raises(error):
            answered(work)


def test_a_photo(pad):
    photo = (ROOT / "assets" / "dog-1.png").read_bytes()
    seen = answered(pad.reconstruct(wish('{"whole": true, "turns": 4}', photo)))
    assert Seen(**seen).to_json() == seen and seen["turns"] == 0 and seen["heads"] == []
    assert picture(seen["picture"]).size == (PIXELS, PIXELS) and len(seen["latent"]["z"]) == 256
    none = io.BytesIO()
    Image.new("RGB", (300, 200), "olive").save(none, "PNG")
    unseen = answered(pad.reconstruct(wish(None, none.getvalue())))
    assert unseen["error"].startswith("I found no dog's head") and not {"picture", "box", "crop"} & set(unseen)


def test_a_dog_nearer_to_its_photo(pad, monkeypatch):
    photo = (ROOT / "assets" / "dog-1.png").read_bytes()
    seen = answered(pad.reconstruct(wish('{"whole": true}', photo)))
    monkeypatch.setattr("ui.nearer.SLICE_S", 0)  # each answer makes one step
    monkeypatch.setattr("ui.nearer.STEPS", 3)
    first = answered(pad.nearer({"page": "a", "crop": seen["crop"]}))
    assert picture(first["picture"]).format == "JPEG" and first["share"] == pytest.approx(1 / 3)
    answers = [first]
    while answers[-1]["share"] < 1:
        answers.append(answered(pad.nearer({"page": "a"})))
    last = answers[-1]
    assert len(answers) == 3 and picture(last["picture"]).format == "PNG" and len(last["c"]) == 256
    assert last["psnr"] > seen["psnr"] and last["latent"]["z"] != seen["latent"]["z"]
    assert pad.descents.begun == {} and pad.descents.expected() > 0
    again = answered(pad.move({"values": last["latent"]["z"], "space": "raw", "still": True}))
    unlike = ImageChops.difference(picture(again["picture"]), picture(last["picture"]))
    assert max(ImageStat.Stat(unlike).mean) < 1
    for data, sentence in (
        ({"page": "a"}, "begin again"),
        ({"page": 7}, "A page has a name"),
        ({"page": "a", "crop": "x" * 2_000_000}, "A crop is a picture"),
        ({"page": "a", "crop": "data:image/png;base64,?"}, "no picture in a data: URL"),
        ({"page": "a", "crop": "data:image/png;base64,AAAA"}, "could not be read as a picture"),
        ({"page": "a", "crop": data_url(Image.new("RGB", (50, 50)))}, "not the square that was cut out"),
        ({"page": "a", "crop": seen["crop"], "weights": "ba9876543210"}, "reload the page"),
    ):
        with pytest.raises((RequestError, PhotoError), match=sentence):
            answered(pad.nearer(data))


def test_a_descent_that_nobody_asks_for_is_forgotten_and_a_closed_page_ends_its_own(pad, monkeypatch):
    class Closed:
        async def is_disconnected(self) -> bool:
            return True

    crop = data_url(pad.studio.draw(torch.zeros(1, 256))[0])
    monkeypatch.setattr("ui.nearer.SLICE_S", 0)
    answered(pad.nearer({"page": "a", "crop": crop}))
    done = pad.descents.begun["a"].done
    with pytest.raises(Gone):
        answered(pad.nearer({"page": "a"}, Closed()))
    assert pad.descents.begun["a"].done == done
    monkeypatch.setattr("ui.nearer.MOST", 1)
    with pytest.raises(Busy, match="Many visitors"):
        answered(pad.nearer({"page": "b", "crop": crop}))
    monkeypatch.setattr("ui.nearer.IDLE_S", 0)
    with pytest.raises(RequestError, match="begin again"):
        answered(pad.nearer({"page": "a"}))
    assert pad.descents.begun == {}


def test_a_descent_that_somebody_waits_for_is_not_forgotten(pad, monkeypatch):
    """As where the pieces of many others come first."""
    go_on = pad.descents.go_on

    def late(descent):
        monkeypatch.setattr("ui.nearer.IDLE_S", 0)
        pad.descents.forget()
        go_on(descent)

    monkeypatch.setattr("ui.nearer.SLICE_S", 0)
    answered(pad.nearer({"page": "a", "crop": data_url(pad.studio.draw(torch.zeros(1, 256))[0])}))
    monkeypatch.setattr(pad.descents, "go_on", late)
    answered(pad.nearer({"page": "a"}))
    assert pad.descents.begun["a"].done == 2


def test_a_move_waits_for_one_step_of_all_descents(pad, monkeypatch):
    """A move waits for one step only, however many visitors bring their dogs nearer. `order` is the worker's order."""
    order = []

    def go_on(descent):
        time.sleep(0.02)
        order.append("step")
        descent.done, descent.over = descent.done + 1, descent.done == 4

    monkeypatch.setattr(pad.descents, "go_on", go_on)
    monkeypatch.setattr("ui.nearer.SLICE_S", 60)
    crop = data_url(pad.studio.draw(torch.zeros(1, 256))[0])

    async def run():
        pages = [asyncio.ensure_future(pad.nearer({"page": f"{i}", "crop": crop})) for i in range(4)]
        while len(order) < 3:
            await asyncio.sleep(0.001)
        before = len(order)
        await pad.worker.run(order.append, "move")
        between = order.index("move") - before
        await asyncio.gather(*pages)
        return between

    assert answered(run()) <= 2 and order[-1] == "step"


def test_the_endpoints(studio, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    uploads: set[str] = set()
    worker = Worker()
    api = Api(studio, worker, uploads, Descents(studio, worker), Named(studio, worker))
    pictures, (a, b) = answered(api.sample(7.0, 1, 2))
    unlike = ImageChops.difference(answered(api.decode(a)), pictures[0])
    assert max(ImageStat.Stat(unlike).mean) < 1 and len(pictures) == 2  # a batch rounds differently than a single dog
    gif, frames = answered(api.morph(a, b["z"], 3))
    assert Path(gif).is_relative_to(tmp_path) and Image.open(gif).n_frames == len(frames) == 3
    sent = tmp_path / "abc" / "file.png"  # where MCP stores a data: URL
    sent.parent.mkdir()
    sent.write_bytes((ROOT / "assets" / "dog-1.png").read_bytes())
    crop, rebuilt, psnr, latent, back = answered(api.reconstruct(str(sent), 0))
    assert crop.size == rebuilt.size == (studio.size, studio.size) and psnr > 10 and uploads == {str(sent)}
    assert len(latent["z"]) == 256 and Path(back).is_relative_to(tmp_path) and Image.open(back).format == "JPEG"
    for work, sentence in (
        (api.sample(1, 1, 65), "n is a whole number"),
        (api.decode("[" * 20_000), "not of the kind"),
        (api.decode("1" * 20_000), "no valid JSON"),
        (api.decode(" " * 100_001), "too long to be a latent"),
        (api.morph(a, b, "3"), "frames is a whole number"),
        (api.reconstruct(None, -1), "nearer is a whole number"),
        (api.reconstruct(None), "No photo arrived"),
    ):
        with pytest.raises((RequestError, LatentError, PhotoError), match=sentence):
            answered(work)


def test_what_goes_wrong_is_told_to_the_page_in_a_sentence():
    async def fail(error, request=None):
        raise error

    told = server_function(fail)
    assert told.__name__ == "fail"
    assert answered(told(RequestError("Not so."), None)) == {"error": "Not so."}
    assert answered(told(Busy("Later."), None)) == {"error": "Later.", "busy": True}
    assert answered(told(Gone(), None)) == {"dropped": True}
    assert answered(told(KeyError("secret"), None))["error"].startswith("Something went wrong on the server")


