"""Cut the heads out of any folder of dog photos, so that they can be trained on.

    python -m training.prepare PHOTOS OUT

OUT gets train/ and val/ with a JPEG of each head, upright by its eyes, and heads.csv with a line for each: where it
was cut from, or why it was left out. A run that was stopped, or killed, goes on where it was when it is started again.
"""

import argparse
import csv
import hashlib
import io
import multiprocessing
import os
import re
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path
from threading import Thread

import torch
from PIL import Image
from tqdm import tqdm

from model import DogFinder, PhotoError, open_photo
from model.crop import FRAMES
from model.errors import PlainError
from model.files import write_whole
from model.finder import by_eyes, frame_of
from model.pixels import to_file

from ..command import one_sentence, unwritten
from .walk import as_folder, pictures_under

MOST_OUTSIDE = 0.25  # of a square may lie beyond its photo's edge
HASH_SIDE = 16
SAME = 20  # of the hash's 256 bits that two copies of a photo may differ in
FLAT = 2  # levels of grey; smaller differences are noise
QUALITY = {"quality": 95, "subsampling": 0}


class PrepareError(PlainError):
    """The folders can't be worked with; its text is one plain sentence."""


@dataclass
class Line:
    """A line of heads.csv. why: empty if the head was kept.

    x, y, side (pixels) and angle (radians, clockwise): centre, side and turn of its square in the upright photo;
    outside: share of it beyond the photo's edge. score: of the head; sure: of its landmarks. left_x .. nose_y: the
    eye on the picture's left, the one on its right and the nose, in pixels of the picture that was written.
    """

    photo: str
    split: str = ""
    crop: str = ""
    x: float | str = ""
    y: float | str = ""
    side: float | str = ""
    angle: float | str = ""
    outside: float | str = ""
    score: float | str = ""
    sure: float | str = ""
    left_x: float | str = ""
    left_y: float | str = ""
    right_x: float | str = ""
    right_y: float | str = ""
    nose_x: float | str = ""
    nose_y: float | str = ""
    hash: str = ""
    why: str = ""


COLUMNS = [field.name for field in fields(Line)]


def difference_hash(picture: Image.Image) -> int:
    """256 bits: which of 16 x 16 spots are brighter than their right neighbours (N. Krawetz's dHash)."""
    grey = picture.resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX).convert("L")
    rows = torch.frombuffer(bytearray(grey.tobytes()), dtype=torch.uint8).view(HASH_SIDE, HASH_SIDE + 1).int()
    bits = (rows[:, :-1] > rows[:, 1:] + FLAT).flatten().tolist()
    return int("".join("1" if bit else "0" for bit in bits), 2)


# ---- In a process of its own, one for each core

finder: DogFinder


def start_worker() -> None:
    global finder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the one that was started answers it
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    finder = DogFinder()


def _end_with_parent() -> None:
    """If that is killed, nobody else would tell this process to end."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def cut(folder: Path, name: str, size: int, smallest: int, frame: str) -> list[tuple[Line, bytes]]:
    """The heads in one photo, each a line and the JPEG of its crop; for a photo without any, one line that says why."""
    try:
        photo = open_photo(folder / name)
    except PhotoError as error:
        return [(Line(name, why=str(error)), b"")]
    cuts, bits = [], f"{difference_hash(photo):064x}"
    for number, head in enumerate(finder.find(photo)):
        square = frame_of(head, photo.size, frame)
        marks = (size * square.to_square(torch.tensor(head.landmarks))).flatten().tolist()
        where = [round(v, 2) for v in (*square.centre, square.side)] + [round(square.angle, 4)]
        outside = square.outside(photo.size)
        told = [round(v, 3) for v in (outside, head.score, head.sure)]
        line = Line(name, "", "", *where, *told, *(round(v, 1) for v in marks))  # type: ignore[arg-type]
        if square.side < smallest:
            line.why = f"The head is too small: its crop has {square.side:.0f} pixels a side."
        elif frame == "eyes" and not by_eyes(head, photo.size):
            line.why = f"Its eyes and nose can't be seen surely ({head.sure:.2f}): it looks aside, or they are covered."
        elif outside > MOST_OUTSIDE:
            line.why = f"The head is cut off: {outside:.0%} of its square lies beyond the photo's edge."
        if not line.why:
            line.hash, line.crop = bits, crop_name(name, number)
        cuts.append((line, b"" if line.why else to_file(square.cut(photo, size), "JPEG", **QUALITY)))
    return cuts or [(Line(name, why="No dog's head was found."), b"")]


def crop_name(photo: str, number: int) -> str:
    """Names that can't clash: two folders may hold a dog.jpg each."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(photo).stem)[:60]
    return f"{stem}-{hashlib.sha256(photo.encode(errors='surrogateescape')).hexdigest()[:8]}-{number}.jpg"


# ---- In the process that was started


class Record:
    """heads.csv: what is done already, and a line more for each head."""

    def __init__(self, path: Path, names: set[str]):
        """path: of heads.csv. names: of the photos that are there."""
        self.done: set[str] = set()
        self.hashes: list[int] = []
        self.with_heads: set[str] = set()
        self.heads_kept = 0
        text = path.read_bytes().decode(errors="surrogateescape") if path.is_file() else ""
        whole = text[: text.rfind("\n") + 1]  # a kill may have cut the last line off
        rows = list(csv.DictReader(io.StringIO(whole, newline="")))
        if whole and list(csv.reader([whole.splitlines()[0]]))[0] != COLUMNS:
            raise PrepareError(f"{path} was not written by training.prepare; choose another folder to write to.")
        if rows and rows[-1]["photo"] in names:  # a kill may have cut off the last of its heads: they are cut again
            for row in rows:
                if row["photo"] == rows[-1]["photo"] and row["crop"]:
                    (path.parent / row["split"] / row["crop"]).unlink(missing_ok=True)
            rows = [row for row in rows if row["photo"] != rows[-1]["photo"]]
        for row in rows:
            self.note(Line(**row))
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        writer.writerow(COLUMNS)
        writer.writerows([row[column] for column in COLUMNS] for row in rows)
        write_whole(path, buffer.getvalue().encode(errors="surrogateescape"))
        self.file = open(path, "a", newline="", encoding="utf-8", errors="surrogateescape")
        self.writer = csv.writer(self.file)

    def note(self, line: Line) -> None:
        if not line.why:
            self.heads_kept += 1
            if line.photo not in self.with_heads:
                self.with_heads.add(line.photo)
                self.hashes.append(int(line.hash, 16))
        self.done.add(line.photo)

    def seen_before(self, bits: int) -> bool:
        return any((bits ^ other).bit_count() <= SAME for other in self.hashes)

    def write(self, lines: list[Line]) -> None:
        for line in lines:
            self.note(line)
            self.writer.writerow(astuple(line))
        self.file.flush()


def keep(cuts: list[tuple[Line, bytes]], record: Record, out: Path, every: int) -> None:
    """Writes what one photo gave. The first photo and every so many after it go to val, with all their heads."""
    split = "val" if len(record.with_heads) % every == 0 else "train"
    copy = any(line.hash and record.seen_before(int(line.hash, 16)) for line, _ in cuts)
    for line, data in cuts:
        if line.hash and copy:
            line.why, line.crop = "Another photo is nearly the same.", ""
        elif line.hash:
            line.split = split
            write_whole(out / split / line.crop, data)
    record.write([line for line, _ in cuts])


def prepare(photos: Path, out: Path, size: int, smallest: int, frame: str, every: int, workers: int) -> Record:
    """Everything that `python -m training.prepare` does. Raises PlainError, OSError."""
    as_folder(photos)
    DogFinder()  # here, where what is wrong with its weights can be said
    for split in ("train", "val"):
        (out / split).mkdir(parents=True, exist_ok=True)
    names = [str(path.relative_to(photos)) for path in pictures_under(photos, exclude=out)]
    if not names:
        raise PrepareError(f"The folder {photos} holds no photos.")
    settings = os.fsencode(f"{photos.resolve()} --size {size} --min {smallest} --frame {frame}")
    began = out / "settings.txt"
    if began.is_file() and (before := began.read_bytes()) != settings:
        raise PrepareError(f"{out} was begun with {os.fsdecode(before)}; use the same, or choose another folder.")
    record = Record(out / "heads.csv", set(names))
    write_whole(began, settings)
    todo = [name for name in names if name not in record.done]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, start_worker) as pool, record.file:
        bar = tqdm(total=len(names), initial=len(names) - len(todo), unit=" photos", desc="cutting", smoothing=0.05)
        try:
            work = partial(cut, photos, size=size, smallest=smallest, frame=frame)
            for cuts in pool.map(work, todo, chunksize=4):
                keep(cuts, record, out, every)
                bar.set_postfix_str(f"{record.heads_kept} heads", refresh=False)
                bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            bar.close()
    return record


def explain(error: Exception) -> str | None:
    if isinstance(error, BrokenProcessPool):
        return "A process was ended, perhaps for want of memory; the same command goes on from here."
    return unwritten("The crops")(error)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", help="a folder of photos, with folders in it or not")
    parser.add_argument("out", help="where the crops go; --data of training.train takes it")
    parser.add_argument("--size", type=int, default=256, help="pixels a side of the crops (default 256)")
    parser.add_argument("--min", type=int, default=120, help="heads smaller in their photo are left out (default 120)")
    words = "eyes: upright by eyes and nose; box: the loose square that weights of version 0.1 know (default eyes)"
    parser.add_argument("--frame", choices=FRAMES, default="eyes", help=words)
    parser.add_argument("--val", type=float, default=0.05, help="share of the photos held out (default 0.05)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: one a core)")
    args = parser.parse_args(argv)
    if not (args.size > 0 and args.min > 0 and args.workers and args.workers > 0 and 0 < args.val <= 0.5):
        parser.error("--size, --min and --workers are above 0, --val is above 0 and at most 0.5.")
    with one_sentence(explain, stopped="Stopped; the same command goes on from here."):
        photos, out = as_folder(args.photos), Path(args.out)
        if not args.out.strip():
            raise PrepareError("No folder to write to was named; name one for the crops.")
        record = prepare(photos, out, args.size, args.min, args.frame, round(1 / args.val), args.workers)
    print(f"{record.heads_kept} heads from {len(record.with_heads)} of {len(record.done)} photos -> {args.out}")


if __name__ == "__main__":
    main()
