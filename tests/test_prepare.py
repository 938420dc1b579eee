"""Turning a folder of photos into crops: what is kept or left out and why, and how a killed run continues."""

import csv
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from model import Head
from model.finder import SURE
from tests.support.tiny import ROOT
from training.data import prepare
from training.data.folder import load_splits
from training.data.prepare import SAME, difference_hash

NO_DOG = "No dog's head was found."


def scene(which: int, side: int = 260, left: int = 300) -> Image.Image:
    photo = Image.new("RGB", (700, 450), (60 + 20 * which, 130, 80))
    photo.paste(dog(which).resize((side, side)), (left, 120))
    return photo


def dog(which: int) -> Image.Image:
    return Image.open(ROOT / "assets" / f"dog-{which}.png").convert("RGB")


def run(photos, out, *more: str) -> list[dict]:
    prepare.main([str(photos), str(out), "--workers", "1", *more])
    return lines(out)


def lines(out: Path) -> list[dict]:
    with open(out / "heads.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    (folder / "holiday" / "day 2").mkdir(parents=True)
    scene(5).save(folder / "b.jpg", quality=95)
    scene(1).save(folder / "holiday" / "b.png")
    scene(3).save(folder / "holiday" / "day 2" / "dög.webp")
    scene(4).save(folder / "c.heic")
    scene(5).resize((1400, 900)).save(folder / "d again.jpg", quality=70)  # the same scene as b.jpg
    scene(2, side=100).save(folder / "far.png")
    Image.new("RGB", (400, 300), "navy").save(folder / "sea.png")
    (folder / "broken.jpg").write_bytes((folder / "b.jpg").read_bytes()[:300])
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def done(photos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out")
    run(photos, out, "--val", "0.5")
    return out


def test_heads_are_cut_and_the_rest_is_accounted_for(photos, done):
    by_photo = {row["photo"]: row for row in lines(done)}
    assert set(by_photo) == {str(p.relative_to(photos)) for p in photos.rglob("*.*") if p.suffix != ".txt"}
    why = {name: row["why"] for name, row in by_photo.items()}
    kept = {name for name, reason in why.items() if not reason}
    assert kept == {"b.jpg", "holiday/b.png", "holiday/day 2/dög.webp", "c.heic"}
    assert "could not be read" in why["broken.jpg"] and why["sea.png"] == NO_DOG
    assert "is nearly the same" in why["d again.jpg"] and "too small" in why["far.png"]
    assert len({by_photo[name]["crop"] for name in kept}) == 4, "two photos are named b"
    for name in kept:
        row = by_photo[name]
        crop = Image.open(done / row["split"] / row["crop"])
        assert crop.format == "JPEG" and crop.size == (256, 256)
        assert 300 < float(row["x"]) < 560 and 120 <= float(row["side"]) < 400 and abs(float(row["angle"])) < 0.4
        assert float(row["score"]) > 0.1 and float(row["sure"]) >= SURE and 0 <= float(row["outside"]) <= 0.25
        left, right, nose = ((float(row[f"{mark}_x"]), float(row[f"{mark}_y"])) for mark in ("left", "right", "nose"))
        assert abs(left[1] - right[1]) < 15 and 90 < left[1] < 130 and left[0] < right[0] and nose[1] > left[1] + 20
    assert {by_photo[name]["split"] for name in kept} == {"train", "val"}
    files = {path.name for split in ("train", "val") for path in (done / split).iterdir()}
    assert files == {by_photo[name]["crop"] for name in kept}


def test_loose_squares_as_the_first_weights_know_them(photos, tmp_path):
    for row in run(photos / "holiday", tmp_path, "--frame", "box", "--size", "128"):
        assert not row["why"] and float(row["angle"]) == 0 and float(row["outside"]) == 0
        assert float(row["side"]) == round(float(row["side"])), "whole pixels, inside the photo"
        assert Image.open(tmp_path / row["split"] / row["crop"]).size == (128, 128)


FACE = ((300.0, 200.0), (380.0, 200.0), (340.0, 260.0))  # its frame is about 220 pixels wide


@pytest.mark.parametrize(
    ("frame", "scale", "to_left", "sure", "why"),
    [
        ("eyes", 1.0, 0, 0.9, ""),
        ("eyes", 0.4, 0, 0.9, "too small: its crop has 89 pixels"),
        ("eyes", 1.0, 0, 0.31, "seen surely (0.31): it looks aside"),
        ("eyes", 1.0, 340, 0.9, "of its square lies beyond the photo's edge"),
        ("box", 1.0, 0, 0.31, ""),
    ],
)
def test_what_is_left_out_and_why(tmp_path, monkeypatch, frame, scale, to_left, sure, why):
    Image.effect_noise((700, 450), 40).convert("RGB").save(tmp_path / "a.png")
    points = tuple((scale * x - to_left, scale * y) for x, y in FACE)
    head = Head((250 * scale - to_left, 140 * scale, 430 * scale - to_left, 320 * scale), 0.8, points, sure)
    monkeypatch.setattr(prepare, "finder", SimpleNamespace(find=lambda photo: [head]), raising=False)
    [(line, data)] = prepare.cut(tmp_path, "a.png", 256, 120, frame)
    assert (why in line.why if why else line.why == "") and bool(data) == bool(line.crop) == (not why)


def test_what_comes_out_can_be_trained_on(done):
    train, val = load_splits(done, 32)
    assert len(train) == len(val) == 2 and not train.skipped


def test_a_second_run_does_nothing_and_a_new_photo_is_added(photos, done, tmp_path):
    done = shutil.copytree(done, tmp_path / "out")
    before = (done / "heads.csv").read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in done.rglob("*.jpg")}
    last = lines(done)[-1]["photo"]
    assert [row["photo"] for row in run(photos, done, "--val", "0.5")] == [row["photo"] for row in lines(done)]
    assert (done / "heads.csv").read_bytes() == before
    assert stamps.keys() == set(done.rglob("*.jpg"))
    changed = {path for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp}
    assert len(changed) <= 1, f"only the last photo, {last}, is cut again"
    new = photos / "zz.png"
    scene(6).save(new)
    try:
        assert len(run(photos, done, "--val", "0.5")) == len(before.splitlines())
    finally:
        new.unlink()


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for i in range(24):
        photo = scene(i % 6 + 1, side=200 + 4 * i, left=100 + 10 * i)
        # Large photos after the first few take seconds, so the run can be stopped meanwhile.
        (photo if i < 6 else photo.resize((4 * photo.width, 4 * photo.height))).save(folder / f"{i:02d}.jpg")
    return folder


@pytest.fixture(scope="module")
def whole(many, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(many, folder)
    return folder


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_run_that_was_stopped_goes_on(many, whole, tmp_path, end):
    stopped, expected = tmp_path / "stopped", lines(whole)
    command = [sys.executable, "-m", "training.prepare", many, stopped, "--workers", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (stopped / "heads.csv").is_file() and len((stopped / "heads.csv").read_bytes().splitlines()) > 4:
            break
        time.sleep(0.02)
    process.send_signal(end)
    errors = process.communicate(timeout=60)[1]
    if end == signal.SIGINT and process.returncode:  # 0: the run ended before the signal came
        assert "goes on from here" in errors and "Traceback" not in errors.split("Process ")[0]
    assert run(many, stopped) == expected
    for row in expected:
        if not row["why"]:
            crop = Path(row["split"]) / row["crop"]
            assert (stopped / crop).read_bytes() == (whole / crop).read_bytes()


@pytest.mark.parametrize("other", [("--size", "96"), ("--min", "64"), ("--frame", "box")])
def test_a_run_goes_on_as_it_began(photos, done, tmp_path, other):
    done = shutil.copytree(done, tmp_path / "out")
    before = (done / "heads.csv").read_bytes()
    for command in ([str(photos), str(done), *other], [str(photos / "holiday"), str(done)]):
        with pytest.raises(SystemExit, match=r"was begun with .* --size 256 --min 120 --frame eyes; use the same"):
            prepare.main(command)
    assert (done / "heads.csv").read_bytes() == before


def test_a_line_that_was_cut_off_is_written_anew(photos, done, tmp_path):
    done = shutil.copytree(done, tmp_path / "out")
    expected, text = lines(done), (done / "heads.csv").read_bytes()
    for keep in (text[:-7], text + b'"half a li'):
        (done / "heads.csv").write_bytes(keep)
        assert run(photos, done, "--val", "0.5") == expected


def test_the_hash_knows_the_same_picture_again(heads):
    files = sorted((heads / "val").iterdir())[:60]
    pictures = [Image.open(path).convert("RGB") for path in files]
    hashes = [difference_hash(picture) for picture in pictures]
    for picture, bits in zip(pictures, hashes):
        smaller = picture.resize((90, 90), Image.Resampling.BILINEAR)
        assert (difference_hash(smaller) ^ bits).bit_count() <= SAME
    apart = [(a ^ b).bit_count() for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(apart) > SAME


@pytest.mark.parametrize("case", ["no folder", "no photos", "another csv"])
def test_folders_that_can_not_be_worked_with(tmp_path, case):
    photos, out = tmp_path / "photos", tmp_path / "out"
    if case != "no folder":
        photos.mkdir()
    if case == "another csv":
        scene(1).save(photos / "a.png")
        out.mkdir()
        (out / "heads.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit) as caught:
        prepare.main([str(photos), str(out)])
    text = str(caught.value.code)
    assert "\n" not in text and text.endswith((".", ").")), text
    if case == "another csv":
        assert (out / "heads.csv").read_text() == "a,b\n1,2\n", "it is somebody's"
