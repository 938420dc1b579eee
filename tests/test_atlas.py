"""The map of dogs: every dog once, neighbours alike, and a dog at every point."""

import pytest
import torch

from model.atlas import SIDE, Atlas, lay_out, looks


def neighbours(features, order) -> float:
    grid = features[order].view(SIDE, SIDE, -1)
    return ((grid[1:] - grid[:-1]).norm(dim=-1).mean() + (grid[:, 1:] - grid[:, :-1]).norm(dim=-1).mean()).item()


def test_every_dog_has_one_cell_and_neighbours_are_alike():
    generator = torch.Generator().manual_seed(0)
    tones = torch.rand(SIDE * SIDE, 3, 1, 1, generator=generator) * 2 - 1
    features = looks(tones + 0.2 * torch.randn(SIDE * SIDE, 3, 40, 40, generator=generator))
    order = lay_out(features)
    assert sorted(order.tolist()) == list(range(SIDE * SIDE))
    shuffled = torch.randperm(SIDE * SIDE, generator=generator)
    assert neighbours(features, order) < 0.6 * neighbours(features, shuffled)
    assert torch.equal(order, lay_out(features))


def test_a_cell_is_its_dog_and_between_cells_no_dog_is_short():
    c = torch.randn(SIDE * SIDE, 256, generator=torch.Generator().manual_seed(1))
    atlas = Atlas(c)
    middle = [(0.5 + i) / SIDE for i in range(SIDE)]
    assert torch.allclose(atlas.at(middle[3], middle[7]), c[7 * SIDE + 3], atol=1e-4)
    assert torch.allclose(atlas.at(0, 1), c[11 * SIDE], atol=1e-4)  # beyond the last middle: that dog
    for x, y in ((0.5, 0.5), (0.13, 0.77), (1, 1)):
        assert atlas.at(x, y).norm() == pytest.approx(16, abs=2)
    near, far = (atlas.at(middle[3] + d, middle[3]) for d in (1e-4, 1 / SIDE))
    assert (near - atlas.at(middle[3], middle[3])).norm() < 0.1 < (far - near).norm()
