"""The map of dogs: every dog once, neighbours alike, and a dog at every point."""

import asyncio
import time

import pytest
import torch

from model import load
from model.atlas import SIDE, Atlas, looks, sorting
from tests.support.threads import answered
from tests.support.tiny import ROOT
from ui.pad import Pad
from ui.studio import Studio
from ui.worker import Worker


def neighbours(features, order) -> float:
    grid = features[order].view(SIDE, SIDE, -1)
    return ((grid[1:] - grid[:-1]).norm(dim=-1).mean() + (grid[:, 1:] - grid[:, :-1]).norm(dim=-1).mean()).item()


def test_every_dog_has_one_cell_and_neighbours_are_alike():
    generator = torch.Generator().manual_seed(0)
    tones = torch.rand(SIDE * SIDE, 3, 1, 1, generator=generator) * 2 - 1
    features = looks(tones + 0.2 * torch.randn(SIDE * SIDE, 3, 40, 40, generator=generator))
    *_, order = sorting(features)
    assert sorted(order.tolist()) == list(range(SIDE * SIDE))
    shuffled = torch.randperm(SIDE * SIDE, generator=generator)
    assert neighbours(features, order) < 0.6 * neighbours(features, shuffled)
    assert torch.equal(order, list(sorting(features))[-1])


def test_a_cell_is_its_dog_and_between_cells_no_dog_is_short():
    c = torch.randn(SIDE * SIDE, 256, generator=torch.Generator().manual_seed(1))
    atlas = Atlas(c)
    middle = [(0.5 + i) / SIDE for i in range(SIDE)]
    assert torch.allclose(atlas.at(middle[3], middle[7]), c[7 * SIDE + 3], atol=1e-4)
    assert torch.allclose(atlas.at(0, 1), c[11 * SIDE], atol=1e-4)  # the map's corner: its last cell's dog
    for x, y in ((0.5, 0.5), (0.13, 0.77), (1, 1)):
        assert atlas.at(x, y).norm() == pytest.approx(16, abs=2)
    near, far = (atlas.at(middle[3] + d, middle[3]) for d in (1e-4, 1 / SIDE))
    assert (near - atlas.at(middle[3], middle[3])).norm() < 0.1 < (far - near).norm()


def test_the_map_holds_up_nobody(monkeypatch):
    """Moves are drawn between the map's pieces of work. The map is made once for all who ask for it."""
    studio = Studio(load(ROOT / "weights" / "dogvae", device="cpu"))
    pad, order = Pad(studio, Worker()), []
    some = pad.explorer.map_dogs(range(2))

    def map_dogs(seeds):
        order.append(seeds[0])
        time.sleep(0.005)
        return some

    monkeypatch.setattr(pad.explorer, "map_dogs", map_dogs)

    async def run():
        asked = [asyncio.ensure_future(pad.explorer.atlas({})) for _ in range(2)]
        asked.append(asyncio.ensure_future(pad.move({"values": [0.25, 0.5], "space": "map", "still": True})))
        while len(order) < 3:
            await asyncio.sleep(0.001)
        before = len(order)
        await pad.worker.run(order.append, "move")
        between = order.index("move") - before
        answers = await asyncio.gather(*asked)
        assert answers[0] == answers[1] and len(answers[2]["c"]) == 256
        return between

    assert answered(run()) <= 2
    order.remove("move")
    assert order == list(range(0, 144, 2)), "it was drawn twice"
