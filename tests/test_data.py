"""A folder of pictures, and the endless sequence of samples made from it."""

import os

import pytest
import torch

from tests.support.tiny import draw_dog, draw_folder
from training.data.folder import DataError, Pictures, Samples, load_pictures, load_splits
from training.data.stream import encoded, first_pictures, open_stream


def sentence(function, *args) -> str:
    with pytest.raises(DataError) as caught:
        function(*args)
    text = str(caught.value)
    assert "\n" not in text and text.endswith((".", ".)")), text
    return text


def all_bytes(source: str, exclude=None) -> list[bytes]:
    return [encoded(entry) for entry in open_stream(source, exclude)]


def test_pictures_of_a_folder(drawn):
    pictures = load_pictures(drawn, 32)
    assert pictures.pixels.shape == (24, 3, 32, 32) and pictures.pixels.dtype == torch.uint8
    assert pictures.skipped == []
    x = pictures.floats(slice(0, 5))
    assert x.shape == (5, 3, 32, 32) and -1 <= x.min() < x.max() <= 1


def test_what_cannot_be_read_is_skipped_and_named(tmp_path):
    draw_folder(tmp_path / "below" / "here", 3)
    whole = (tmp_path / "below/here/dog000.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "page.jpeg").write_text("<html>404</html>")
    (tmp_path / "notes.txt").write_text("not even looked at")
    pictures = load_pictures(tmp_path, 32)
    assert len(pictures) == 3
    assert [line.split(":")[0] for line in pictures.skipped] == ["cut.jpg", "empty.png", "page.jpeg"]


def test_folders_that_cannot_be_trained_on(tmp_path):
    assert "no folder" in sentence(load_splits, tmp_path / "missing", 32)
    assert "holds no pictures" in sentence(load_splits, tmp_path, 32)
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    (tmp_path / "b.png").write_bytes(b"nothing")
    assert "None of the 2 pictures" in sentence(load_splits, tmp_path, 32)
    draw_dog(0).save(tmp_path / "c.png")
    assert "at least two" in sentence(load_splits, tmp_path, 32)


def test_all_formats_that_the_page_reads_are_trained_on(tmp_path):
    formats = {"a.heic": "HEIF", "b.jfif": "JPEG", "c.jpe": "JPEG", "d.mpo": "MPO", "e.AVIF": "AVIF", "f.hif": "HEIF"}
    for seed, (name, format) in enumerate((formats | {"no name": "PNG", "of a webp.jpg": "WEBP"}).items()):
        draw_dog(seed).save(tmp_path / name, format)
    (tmp_path / "drawing.svg").write_text("<svg/>", encoding="utf-8")
    (tmp_path / "train.csv").write_text("file,side\n", encoding="utf-8")
    pictures = load_pictures(tmp_path, 32)
    assert len(pictures) == 8 and [line.split(":")[0] for line in pictures.skipped] == ["drawing.svg"]
    assert len(all_bytes(str(tmp_path))) == 9, "a stream tells only when it reads them"


def test_links_are_followed_once_and_nothing_hidden_is_read(tmp_path):
    data = tmp_path / "data"
    draw_folder(tmp_path / "elsewhere", 3)
    for place in (data / "shown", data / ".Trash", data / ".thumbnails" / "large", data / "@eaDir", data / "__MACOSX"):
        draw_folder(place, 2, first=10)
    draw_dog(20).save(data / "._dog.jpg")
    (data / "linked").symlink_to(tmp_path / "elsewhere")
    (data / "again").symlink_to(tmp_path / "elsewhere")
    (data / "shown" / "round").symlink_to(data)
    assert len(load_pictures(data, 32)) == 5 == len(all_bytes(str(data)))
    (tmp_path / "only a link").symlink_to(tmp_path / "elsewhere")
    assert len(load_pictures(tmp_path / "only a link", 32)) == 3


def test_a_run_never_reads_its_own_pictures(tmp_path):
    draw_folder(tmp_path / "dogs", 4)
    out = tmp_path / "runs" / "one"
    draw_folder(out / "grids", 5, first=50)
    for exclude in (out, str(out), tmp_path / "dogs" / ".." / "runs" / "one"):
        train, val = load_splits(tmp_path, 32, exclude=exclude)
        assert len(train) + len(val) == 4 == len(all_bytes(str(tmp_path), exclude))
    for name in ("config.json", "model.safetensors"):  # these mark an earlier run's folder, which is left out
        (out / name).write_bytes(b"{}")
    assert len(load_pictures(tmp_path, 32, exclude=tmp_path / "runs" / "two")) == 4
    assert "of its own" in sentence(load_pictures, out, 32, False, out)


NAMES = [("Train", "Val"), ("train_set", "valset"), ("TRAINING", "valid images"), ("train2017", "test")]


@pytest.mark.parametrize("names", NAMES)
def test_folders_for_training_and_validation(names, tmp_path):
    for count, name in enumerate(names, 2):
        draw_folder(tmp_path / name, count, first=10 * count)
    train, val = load_splits(tmp_path, 32)
    assert (len(train), len(val)) == (2, 3)
    assert [len(p) for p in first_pictures(str(tmp_path), 32)] == [2, 3]


def test_folders_for_training_and_validation_within_the_only_folder(tmp_path):
    """Unpacked archives look like this."""
    for count, name in enumerate(("train", "val", "__MACOSX"), 2):
        draw_folder(tmp_path / "dogs" / "256px" / name, count, first=10 * count)
    (tmp_path / "LICENSE").write_text("yours", encoding="utf-8")
    (tmp_path / "round").symlink_to(tmp_path / "dogs")
    (tmp_path / "round").rename(tmp_path / "dogs" / "256px" / ".round")
    assert [len(p) for p in load_splits(tmp_path, 32)] == [2, 3]
    assert [len(p) for p in first_pictures(str(tmp_path), 32)] == [2, 3]
    draw_dog(0).save(tmp_path / "beside them.png")
    assert sum(len(p) for p in load_splits(tmp_path, 32)) == 6


def test_two_folders_that_could_be_meant(tmp_path):
    for name in ("train", "Train", "val"):
        draw_folder(tmp_path / name, 2)
    for reader in (load_splits, first_pictures):
        assert "keep one" in sentence(reader, str(tmp_path), 32)


@pytest.mark.parametrize("name", ["", " "])
def test_no_folder_is_not_the_current_one(name):
    for reader in (load_splits, load_pictures, first_pictures):
        assert "No folder was named" in sentence(reader, name, 32)


def test_names_that_are_no_text_and_this_folder(tmp_path, monkeypatch):
    draw_folder(tmp_path, 4)
    (tmp_path / "dog000.jpg").rename(os.fsdecode(os.fsencode(tmp_path) + b"/d\xffg.jpg"))
    monkeypatch.chdir(tmp_path)
    assert len(load_pictures(".", 32)) == 4 == len(set(all_bytes(".")))
    for reader in (load_splits, first_pictures):
        assert sentence(reader, "x" * 5000, 32)


def test_a_val_folder_is_the_validation_set(tmp_path):
    draw_folder(tmp_path / "train", 5)
    draw_folder(tmp_path / "val", 2, first=5)
    train, val = load_splits(tmp_path, 32)
    assert len(train) == 5 and len(val) == 2
    assert torch.equal(val.pixels, load_pictures(tmp_path / "val", 32).pixels)


def test_a_flat_folder_is_split(drawn):
    train, val = load_splits(drawn, 32)
    assert len(train) == 23 and len(val) == 1
    assert not (train.pixels == val.pixels).flatten(1).all(1).any(), "a picture in both"
    again, _ = load_splits(drawn, 32)
    assert torch.equal(train.pixels, again.pixels)


def test_what_is_held_out_stays_so_when_pictures_are_added(tmp_path):
    draw_folder(tmp_path, 60)
    _, before = load_splits(tmp_path, 32)
    assert 0 < len(before) < 12
    draw_folder(tmp_path / "a new one", 60, first=60)
    train, after = load_splits(tmp_path, 32)
    same = (train.pixels[:, None] == before.pixels).flatten(2).all(2)
    assert len(after) > len(before) and not same.any(), "a picture that was measured on is trained on now"


# Ten pictures, each of its own grey, tell which one a sample shows. The marked left half tells whether it is mirrored.
PIXELS = torch.arange(10, dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 4, 4) * 20
PIXELS[..., :2] += 1


def samples(seed: int = 0) -> Samples:
    return Samples(Pictures(PIXELS.clone(), []), latent_dim=6, seed=seed)


def which(x: torch.Tensor) -> list[int]:
    return ((x[:, 0, 0].amax(1) + 1) * 127.5).round().int().sub(1).div(20).int().tolist()


def test_each_epoch_shows_each_picture_once_in_another_order():
    epochs = [which(samples().batch(start, 10).x) for start in (0, 10, 20)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_sample_does_not_depend_on_how_it_is_batched():
    whole = samples().batch(0, 40)
    mixed = samples()
    mixed.batch(33, 7)  # reading ahead must not change earlier samples
    parts = [mixed.batch(start, count) for start, count in ((0, 7), (7, 16), (23, 1), (24, 16))]
    assert torch.equal(torch.cat([part.x for part in parts]), whole.x)
    assert torch.equal(torch.cat([part.eps for part in parts]), whole.eps)
    part, step = mixed.batch(24, 8, step=8), mixed.batch(8, 16)
    assert part.step_seed == step.step_seed == step.seed, "that of the whole step"
    assert len({part.seed, step.seed, whole.seed}) == 3, "and each part has one of its own"


def test_the_seed_decides():
    one, same, other = (samples(seed).batch(0, 10) for seed in (1, 1, 2))
    assert torch.equal(one.x, same.x) and torch.equal(one.eps, same.eps) and one.seed == same.seed
    assert not torch.equal(one.x, other.x) and not torch.equal(one.eps, other.eps) and one.seed != other.seed


def test_half_the_samples_are_mirrored():
    x = samples().batch(0, 1000).x
    mirrored = (x[:, 0, 0, 0] < x[:, 0, 0, 3]).float()
    assert 0.4 < mirrored.mean() < 0.6
    flips_of_one = [mirrored[i].item() for i, picture in enumerate(which(x)) if picture == 3]
    assert 0 < sum(flips_of_one) < len(flips_of_one)


def test_the_noise_is_normal():
    """The first version of this project drew uniform noise."""
    eps = samples().batch(0, 3000).eps
    assert eps.mean().abs() < 0.03 and (eps.std() - 1).abs() < 0.03
    assert (eps.pow(4).mean() - 3).abs() < 0.3  # uniform noise has 1.8
    assert eps.max() > 3
    assert torch.corrcoef(eps.T).fill_diagonal_(0).abs().max() < 0.1


def test_what_is_an_enlargement_is_known_by_the_table_beside_the_folder_or_by_the_file(tmp_path):
    draw_folder(tmp_path / "train", 3)  # 64 pixels a side
    draw_dog(3, size=20).save(tmp_path / "train" / "dog003.png")
    assert load_pictures(tmp_path / "train", 32).sharp.tolist() == [True, True, True, False]
    (tmp_path / "train.csv").write_text("file,side\ndog000.jpg,12\ndog001.png,90\n", encoding="utf-8")
    pictures = load_pictures(tmp_path / "train", 32)
    assert pictures.side.tolist() == [12, 90, 64, 20] and pictures.sharp.tolist() == [False, True, True, False]
    (tmp_path / "heads.csv").write_text("photo,crop,side\na,dog001.png,11.5\nb,,300\n", encoding="utf-8")
    assert load_pictures(tmp_path / "train", 32).side.tolist() == [64, 11, 64, 20], "as training.prepare writes it"
    both = pictures.with_more(Pictures(pictures.pixels[:1], [], torch.tensor([99])))
    assert len(both) == 5 and both.sharp.tolist() == [False, True, True, False, True]
    assert torch.equal(both.first(4).pixels, pictures.pixels)
