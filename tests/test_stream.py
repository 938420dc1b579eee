"""Training data that does not fit into memory, read by `datasets`: pictures in folders and in tar shards."""

import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from model import load, open_photo
from tests.support.files import packed
from tests.support.running import arguments, fails, finished, start
from tests.support.tiny import draw_dog, draw_folder
from tests.test_scale import ended, start_several
from training.checkpoint import read_facts
from training.data import stream
from training.data.folder import DataError, held_out, load_splits
from training.data.stream import Stream, encoded, first_pictures, open_stream

COUNT = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("stream")
    for part in range(4):
        draw_folder(root / "folder" / str(part), COUNT // 4, part * COUNT // 4)
    return root / "folder"


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("shards")
    for part in range(4):
        with tarfile.open(root / f"dogs-{part}.tar", "w") as tar:
            for i in range(COUNT // 4):
                path = root / f"{part}-{i:04d}.png"
                draw_dog(part * COUNT // 4 + i).save(path)
                tar.add(path, path.name)
                path.unlink()
    return root


@pytest.fixture(params=["folder", "shards"])
def source(request) -> str:
    return str(request.getfixturevalue(request.param))


def all_bytes(source: str) -> list[bytes]:
    return [encoded(entry) for entry in open_stream(source)]


def test_every_picture_comes_once_an_epoch_over_all_processes(source):
    everything = all_bytes(source)
    assert len(set(everything)) == COUNT
    trained = [data for data in everything if not held_out(data)]
    assert 0 < COUNT - len(trained) < COUNT // 5
    seen = Counter()
    for process in range(2):
        samples = Stream(source, 32, 16, 0, process, 2)
        for _, data in samples._endless():
            if samples.epoch:
                break
            seen[data] += 1
    assert set(seen) == set(trained) and set(seen.values()) == {1}


def test_first_pictures_are_not_trained_on_twice(source):
    train, val = first_pictures(source, 32)
    assert len(train) + len(val) == COUNT and 0 < len(val) < len(train)


def test_what_is_held_out_is_what_evaluation_holds_out(folder):
    _, val = first_pictures(str(folder), 32)
    _, measured = load_splits(folder, 32)
    assert sorted(map(bytes, val.pixels.flatten(1).numpy())) == sorted(map(bytes, measured.pixels.flatten(1).numpy()))


def test_a_folder_that_says_what_to_measure_on_is_heeded(tmp_path):
    draw_folder(tmp_path / "train", 20)
    draw_folder(tmp_path / "val", 7, first=20)
    train, val = first_pictures(str(tmp_path), 32)
    assert (len(train), len(val)) == (20, 7)
    trained, entries = Stream(str(tmp_path), 32, 16, 0, 0, 1), Counter()
    for _, data in trained._endless():
        if trained.epoch:
            break
        entries[data] += 1
    assert set(entries) == {path.read_bytes() for path in (tmp_path / "train").iterdir()}


def test_pictures_of_a_folder_do_not_come_by_name(folder):
    names = [entry["image"]["path"] for entry in open_stream(str(folder))]
    assert len(names) == COUNT and names != sorted(names)
    assert names == [entry["image"]["path"] for entry in open_stream(str(folder))]


def test_it_shuffles_and_goes_on_where_it_stopped(source, monkeypatch):
    monkeypatch.setattr(stream, "BUFFER", 1)  # a resumed run skips the pictures in the buffer, so it is made small
    whole = Stream(source, 32, 16, 3, 0, 1)
    batches = [whole.batch(8 * i, 8) for i in range(30)]  # more than two epochs
    first = Stream(source, 32, 16, 3, 0, 1)
    for i in range(20):
        first.batch(8 * i, 8)
    second = Stream(source, 32, 16, 3, 0, 1)
    second.resume([first.state], 0, 1)
    for i in range(20, 30):
        again = second.batch(8 * i, 8)
        for ours, theirs in ((again.x, batches[i].x), (again.eps, batches[i].eps)):
            assert ours.equal(theirs), i
    monkeypatch.setattr(stream, "BUFFER", 100)
    shuffled = Stream(source, 32, 16, 3, 0, 1)
    assert not all(shuffled.batch(8 * i, 8).x.equal(batches[i].x) for i in range(5))


def test_it_goes_on_where_all_that_was_left_waited_in_the_buffer(shards):
    source = str(shards)
    first = Stream(source, 32, 16, 0, 0, 1)  # 120 pictures all fit into the buffer of 2,000
    first.batch(0, 8)
    second = Stream(source, 32, 16, 0, 0, 1)
    second.resume([first.state], 0, 1)
    second.batch(8, 8)
    assert second.epoch == first.epoch + 1


def test_more_processes_than_before_begin_the_next_epoch(source):
    before = Stream(source, 32, 16, 0, 0, 1)
    before.batch(0, 8)
    after = Stream(source, 32, 16, 0, 1, 2)
    after.resume([before.state], 1, 2)
    after.batch(8, 8)
    assert after.epoch == before.epoch + 1


def test_what_can_not_be_streamed(tmp_path):
    (tmp_path / "page.html").write_text("<html>")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "shard.tar").write_text("<html>")
    for name, says in {"page.html": "neither a folder", "empty": "neither", "broken": "can't be streamed"}.items():
        with pytest.raises(DataError, match=says) as caught:
            open_stream(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_a_shard_that_is_cut_short_ends_with_a_sentence(tmp_path, shards, in_process):
    whole = (shards / "dogs-0.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole)
    (tmp_path / "b.tar").write_bytes(whole[: len(whole) // 2])
    assert "broke off" in fails(*arguments(tmp_path / "run", tmp_path, "--stream"))


def test_shards_hold_all_formats_that_the_page_reads(tmp_path):
    """The first picture of each sample is used, and hidden files are not."""
    names = {"1.heic": "HEIF", "2.JPEG": "JPEG", "a/2.avif": "AVIF", "3.jfif": "JPEG", "4.mpo": "MPO", "5": "PNG"}
    hidden = {"._1.jpg": "JPEG", "__MACOSX/1.jpg": "JPEG", "5.mask.png": "PNG"}
    with tarfile.open(tmp_path / "dogs.tar", "w") as tar:
        for seed, (name, format) in enumerate((names | hidden).items()):
            data = packed(draw_dog(seed), format)
            for part, content in ((name, data), (f"{name}.json", b"{}")):
                about = tarfile.TarInfo(part)
                about.size = len(content)
                tar.addfile(about, io.BytesIO(content))
    entries = list(open_stream(str(tmp_path)))
    assert {entry["image"]["path"] for entry in entries} == set(names)
    assert all(open_photo(encoded(entry)).size == (64, 64) for entry in entries)


def test_names_that_look_like_patterns_and_files_that_are_gone(tmp_path):
    draw_folder(tmp_path / "[a] dog?", 30)
    stream = open_stream(str(tmp_path))
    gone = next(iter(stream))
    Path(gone["image"]["path"]).unlink()
    assert encoded(gone) == b"" and sum(1 for _ in open_stream(str(tmp_path))) == 29


def test_a_run_by_two_processes_then_one(tmp_path, shards, in_process):
    out = tmp_path / "run"
    args = arguments(out, shards, "--stream", "--realism", "0.5")
    status, errors = ended(start_several("tests.support.tiny", *args))
    assert status == 0, errors
    assert len(read_facts(out)["stream"]) == 2 and load(out).latents is not None
    status, errors = finished(start(*arguments(out, shards, "--stream", "--resume", images=192)))
    assert status == 0 and read_facts(out)["images"] == 192, errors
    assert "neither a folder" in fails(*arguments(tmp_path / "other", shards / "none", "--stream"))


def test_the_table_of_prepare_says_what_is_an_enlargement(tmp_path):
    draw_folder(tmp_path / "train", 20)  # of 64 pixels
    draw_folder(tmp_path / "val", 7, first=20)
    assert first_pictures(str(tmp_path), 64)[0].sharp.all()
    rows = [f"{path.name},{20 if i % 2 else 64}\n" for i, path in enumerate((tmp_path / "train").iterdir())]
    (tmp_path / "heads.csv").write_text("crop,side\n" + "".join(rows))
    assert first_pictures(str(tmp_path), 64)[0].sharp.sum() == 10
    assert Stream(str(tmp_path), 64, 16, 0, 0, 1).batch(0, 18).sharp.sum() in range(8, 11)
