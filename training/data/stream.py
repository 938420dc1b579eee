"""Pictures that do not fit into memory: a folder of millions, WebDataset shards (*.tar), or a data set on the Hub.

Read by the `datasets` library, which shares shards (or, of a folder, pictures) out to the processes, shuffles
within a buffer, and knows its position, so that a run can be resumed. After a resume the buffer fills anew: the
pictures that waited in it may be passed over in that epoch, a few may come twice.
"""

import os
import random
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import fsspec
import torch
from torch import Tensor

from model.photos import PhotoError, looks_like_photo, open_photo
from model.pixels import to_pixels, to_tensor

from .folder import Batch, Folder, Pictures, Samples, held_out, known_sides
from .walk import DataError, as_folder, is_hidden, named_like_picture, pictures_under, splits

FIRST = 5_000  # pictures kept in memory: for validation those that are held out, for fitting the latents the others
BUFFER = 2_000  # encoded pictures among which the next one is drawn; at 16 KB each, 33 MB
SHARDS = 1024  # parts of a folder: what a process may have of it, and what a shuffle puts in another order
MAX_UNREADABLE = 10_000  # so many unreadable pictures in a row end the run


def open_stream(source: str, exclude: Folder | None = None):
    """A datasets.IterableDataset with the encoded pictures in a column `image`. exclude: a folder in it that is not
    read. Raises DataError."""
    try:
        import datasets
    except ImportError:
        raise DataError("--stream needs the library datasets; install it with pip install datasets.") from None
    folder = Path(source)
    if not source.strip():
        as_folder(source)  # says what to do
    try:
        kind = datasets.Features({"image": datasets.Image(decode=False)})
        if os.path.isdir(folder) and (shards := _mixed(pictures_under(folder, exclude, ".tar"))):
            tarfile.open(shards[0]).close()  # says at once that it is none
            given = {"shards": shards}
            stream = datasets.IterableDataset.from_generator(pictures_in, features=kind, gen_kwargs=given)
        elif os.path.isdir(folder):
            if not (files := _mixed(pictures_under(folder, exclude))):
                raise DataError(f"The folder {source} holds neither pictures nor *.tar shards.")
            table = datasets.Dataset.from_dict({"image": [*map(_as_text, files)]}, features=kind)
            stream = table.to_iterable_dataset(num_shards=min(len(files), SHARDS))
        elif os.path.exists(folder) or source.count("/") != 1:
            raise DataError(f"{source} is neither a folder nor the name of a data set on the Hub, user/name.")
        else:
            stream = datasets.load_dataset(source, split="train", streaming=True)
        features = stream.features or {}
        column = next((name for name, kind in features.items() if isinstance(kind, datasets.Image)), None)
    except DataError:
        raise
    except Exception as error:  # the library's own, the Hub client's, the network's
        raise DataError(f"{source} can't be streamed ({_first_line(error)}).") from None
    if column is None:
        raise DataError(f"{source} has no column of pictures.")
    stream = stream.select_columns([column]).cast_column(column, datasets.Image(decode=False))
    return stream if column == "image" else stream.rename_column(column, "image")


def pictures_in(shards: list[str]) -> Iterator[dict]:
    """The pictures in tar files, in their order; of the files of one WebDataset sample the first that is a picture.

    The library's own reader of such files knows no HEIC, and wants all pictures of a shard in one format.
    """
    for shard in shards:
        with tarfile.open(shard) as tar:
            taken = None
            for member in tar:
                place = Path(member.name)
                sample = place.parent / place.name.partition(".")[0]
                if not member.isfile() or any(map(is_hidden, place.parts)) or sample == taken:
                    continue
                file = tar.extractfile(member)
                data = file.read() if file else b""
                if named_like_picture(place.name) or looks_like_photo(data[:32]):
                    taken = sample
                    yield {"image": {"path": member.name, "bytes": data}}


def _mixed(paths: list[Path]) -> list[str]:
    """Files, always in the same disorder: by name all dogs of a breed would come in a row."""
    files = [str(path) for path in paths]
    random.Random(0).shuffle(files)
    return files


def _as_text(file: str) -> str | dict:
    """The name of a file, or, where that is not UTF-8 and so no text for a table, what is in it."""
    try:
        file.encode()
        return file
    except UnicodeEncodeError:
        return {"path": None, "bytes": Path(file).read_bytes()}


def unbroken(stream: Iterable[dict]) -> Iterator[dict]:
    """The entries of a stream. Raises DataError where it breaks off: a shard cut short, a network that is gone."""
    try:
        yield from stream
    except Exception as error:  # each format has its own
        raise DataError(f"The stream broke off ({_first_line(error)}).") from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__


def parts(source: str) -> tuple[str, str | None]:
    """What to train on and what to measure on: the folders train and val, or the source, which is to be divided."""
    if not source.strip():
        as_folder(source)  # says what to do
    folders = splits(source)
    return (str(folders[0]), str(folders[1])) if folders else (source, None)


def encoded(entry: dict) -> bytes:
    """The file of a picture: in the shard, or where the entry says, on this disk or (hf://) on the Hub; empty if it is
    gone."""
    image = entry["image"]
    if image is None:  # a row without one
        return b""
    if image["bytes"] is not None:
        return image["bytes"]
    try:
        with fsspec.open(image["path"]) as file:
            return file.read()
    except OSError:
        return b""


def file_name(entry: dict) -> str:
    """Without its folders; empty for what has no name, as in a data set on the Hub."""
    return Path((entry["image"] or {}).get("path") or "").name


def sides_in(source: str) -> dict[str, int]:
    """`known_sides` of a folder; of anything else none are known."""
    return known_sides(as_folder(source)) if os.path.isdir(source) else {}


def first_pictures(source: str, size: int, exclude: Folder | None = None) -> tuple[Pictures, Pictures]:
    """Of the first pictures of a stream those that are trained on, and those that are held out: in the folder val
    where there are train and val. Raises DataError."""
    train, val = parts(source)
    kept: tuple[list[Tensor], list[Tensor]] = ([], [])
    sides: tuple[list[int], list[int]] = ([], [])
    skipped: list[str] = []
    for part in filter(None, (train, val)):
        known = sides_in(part)
        for entry in unbroken(open_stream(part, exclude).take(FIRST)):
            data = encoded(entry)
            held = part == val if val else held_out(data)
            try:
                photo = open_photo(data)
                kept[held].append(to_pixels(to_tensor(photo, size)))
                sides[held].append(known.get(file_name(entry), min(photo.size)))
            except PhotoError as error:
                skipped.append(f"{file_name(entry)}: {error}")
    if not all(kept):
        raise DataError(f"{source} holds too few readable pictures to stream; leave out --stream.")
    first, held_back = (Pictures(torch.stack(pixels), [], torch.tensor(s)) for pixels, s in zip(kept, sides))
    first.skipped.extend(skipped)
    return first, held_back


class Stream(Samples):
    """The samples of one process out of several: pictures from a stream, the rest as in `Samples`."""

    def __init__(
        self,
        source: str,
        size: int,
        latent_dim: int,
        seed: int,
        process: int,
        processes: int,
        exclude: Folder | None = None,
    ):
        from datasets.distributed import split_dataset_by_node

        super().__init__(Pictures(torch.empty(0), []), latent_dim, seed)
        source, self.val = parts(source)
        self.sides, self.resumed = sides_in(source), False
        shuffled = open_stream(source, exclude).shuffle(seed=seed, buffer_size=BUFFER)
        self.size, self.stream = size, split_dataset_by_node(shuffled, rank=process, world_size=processes)
        self.threads = ThreadPoolExecutor()
        self.reader = ThreadPoolExecutor(1)  # reads the next batch during a step
        self.ahead: Future[tuple[Pictures, dict]] | None = None
        self.epoch, self.entries = 0, self._endless()
        self.state = self.stream.state_dict()  # of the batch returned last

    def resume(self, states: list[dict], process: int, processes: int) -> None:
        """Goes on from the states of all processes; where there were more or fewer, with the next epoch."""
        if len(states) == processes:
            self.state = states[process]
            self.stream.load_state_dict(self.state)
            self.epoch, self.resumed = self.state["epoch"], True
        else:
            self.epoch = max(state["epoch"] for state in states) + 1
        self.stream.set_epoch(self.epoch)

    def batch(self, start: int, count: int, step: int | None = None) -> Batch:
        """The next `count` pictures of this process, whatever `start`; mirrored and with noise by `start`."""
        pictures, self.state = self.ahead.result() if self.ahead else self._read(count)
        self.ahead = self.reader.submit(self._read, count)
        mirrored, eps = self.chance(start, count)
        x = pictures.floats(slice(None))
        x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
        return Batch(x, eps, pictures.sharp, start, *self._seeds(start, step))

    def _read(self, count: int) -> tuple[Pictures, dict]:
        good: list[tuple[Tensor, int]] = []
        failed = 0
        while len(good) < count:
            some = list(islice(self.entries, count - len(good)))
            read = [p for p in self.threads.map(self._decode, some) if p is not None]
            failed = 0 if read else failed + len(some)
            if failed >= MAX_UNREADABLE:
                raise DataError(f"{failed:,} pictures of the stream in a row can't be read.")
            good += read
        pixels, sides = zip(*good)
        return Pictures(torch.stack(pixels), [], torch.tensor(sides)), self.stream.state_dict()

    def _endless(self) -> Iterator[tuple[str, bytes]]:
        """Name and file of each picture."""
        while True:
            seen = 0
            for entry in unbroken(self.stream):
                data = encoded(entry)
                if self.val or not held_out(data):
                    seen += 1
                    yield file_name(entry), data
            if not seen and not self.resumed:  # the rest of an epoch may all have waited in the buffer
                raise DataError("A process found no pictures in the stream; use fewer processes or more shards.")
            self.resumed = False
            self.epoch += 1
            self.stream.set_epoch(self.epoch)

    def _decode(self, picture: tuple[str, bytes]) -> tuple[Tensor, int] | None:
        name, data = picture
        try:
            photo = open_photo(data)
            return to_pixels(to_tensor(photo, self.size)), self.sides.get(name, min(photo.size))
        except PhotoError:
            return None
