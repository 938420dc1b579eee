"""The answers to the page's tabs, and the facts that the page starts with, without a server."""

from pathlib import Path

import pytest
from PIL import ImageChops, ImageStat

from model import load
from tests.support.serving import PIXELS
from tests.support.tiny import ROOT
from tests.test_protocol import DOG, FILM, answered, picture
from ui.explore import MAX_FILMS
from ui.facts import Facts
from ui.pad import FIRST_SEED, Pad
from ui.studio import LatentError, Studio
from ui.worker import Busy, Worker


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(load(ROOT / "weights" / "dogvae"))


@pytest.fixture
def pad(studio):
    return Pad(studio, Worker())


def test_the_tabs(pad):
    tabs = pad.explorer
    assert len(answered(tabs.thumbnails({"dogs": [DOG] * 3}))["pictures"]) == 3
    assert picture(answered(tabs.contact_sheet({"dogs": [DOG] * 9}))["picture"]).size == (8 * PIXELS, 2 * PIXELS)
    film = answered(tabs.movie(FILM | {"dogs": [DOG, [1.0] * 256]}))["file"]
    assert picture(film).n_frames == 4  # three forward, one back
    larger = answered(tabs.movie(FILM | {"side": 300, "kind": "gif"}))["file"]
    assert picture(film).size == (PIXELS, PIXELS) and picture(larger).size == (300, 300)
    tabs.films = MAX_FILMS
    with pytest.raises(Busy):
        answered(tabs.movie(FILM | {"dogs": [DOG] * 2}))
    tabs.films = 0
    wall = answered(tabs.wall({"seeds": [3, 4], "temperature": 1, "keep": [[5, 2.0]]}))
    alone = answered(pad.draw({"seed": 4, "temperature": 1, "keep": [[5, 2.0]]}))
    assert len(wall["pictures"]) == 2 and wall["dogs"][1] == pytest.approx(alone["c"], abs=1e-3)
    assert wall["dogs"][0][5] == pytest.approx(2, abs=1e-3)
    for side in (300, 0):
        saved = picture(answered(tabs.enlarged({"latent": alone["latent"], "side": side}))["picture"])
        assert saved.size == ((side or PIXELS),) * 2
    apart = ImageStat.Stat(ImageChops.difference(saved, picture(alone["picture"]).convert("RGB"))).mean
    assert max(apart) < 1, "levels: the numbers came rounded"
    with pytest.raises(LatentError):
        answered(tabs.enlarged({"latent": [1], "side": 0}))
    assert tabs.drawn == {} and answered(tabs.progress("x")) == answered(tabs.progress(["x"])) == {"share": 0}
    shown = answered(tabs.atlas({}))["picture"]
    assert shown and answered(tabs.atlas({}))["picture"] == shown
    place = answered(pad.move({"values": [0.25, 0.5], "space": "map", "still": True}))
    assert len(place["c"]) == 256 and place["c"] != DOG


def test_the_page_knows_its_facts(pad, studio):
    facts = pad.facts([Path("/assets/dog-1.png")]).to_json()
    assert Facts(**facts).to_json() == facts and facts["first"]["seed"] == FIRST_SEED
    assert facts["weights"] == studio.vae.weights_id and sorted(facts["raw_order"]) == list(range(256))
    assert sum(facts["share"]) == pytest.approx(100, abs=1) and len(facts["names"]) == 256
