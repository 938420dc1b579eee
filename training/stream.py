"""Pictures that do not fit into memory: a folder of millions, WebDataset shards (*.tar), or a data set on the Hub.

Read by the `datasets` library, which shares shards (or, of a folder, pictures) out to the processes, shuffles
within a buffer, and knows its position, so that a run can be resumed. After a resume the buffer fills anew: the
pictures that waited in it are not seen in that epoch.
"""

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import fsspec
import torch
from torch import Tensor

from model.images import PhotoError, open_photo, to_pixels, to_tensor

from .data import SUFFIXES, DataError, Pictures, Samples

FIRST = 5_000  # pictures kept in memory: for validation those of HELD_OUT, for fitting the latents the others
HELD_OUT = 20  # one picture in so many is never trained on, chosen by its bytes and so the same in every order
BUFFER = 2_000  # encoded pictures among which the next one is drawn; at 50 KB each, 0.1 GB


def open_stream(source: str):
    """A datasets.IterableDataset with the encoded pictures in a column `image`. Raises DataError."""
    try:
        import datasets
    except ImportError:
        raise DataError("--stream needs the library datasets; install it with pip install datasets.") from None
    folder = Path(source)
    try:
        if folder.is_dir() and (shards := sorted(map(str, folder.rglob("*.tar")))):
            stream = datasets.load_dataset("webdataset", data_files=shards, split="train", streaming=True)
        elif folder.is_dir():
            files = [str(p) for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES]
            if not files:
                raise DataError(f"The folder {source} holds neither pictures nor *.tar shards.")
            files = {"train": sorted(files)}
            stream = datasets.load_dataset("imagefolder", data_files=files, split="train", streaming=True)
        elif folder.exists() or source.count("/") != 1:
            raise DataError(f"{source} is neither a folder nor the name of a data set on the Hub, user/name.")
        else:
            stream = datasets.load_dataset(source, split="train", streaming=True)
        features = stream.features or {}
        column = next((name for name, kind in features.items() if isinstance(kind, datasets.Image)), None)
    except DataError:
        raise
    except Exception as error:  # the library's own, the Hub client's, the network's
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{source} can't be streamed ({first[:200].rstrip('.')}).") from None
    if column is None:
        raise DataError(f"{source} has no column of pictures.")
    stream = stream.select_columns([column]).cast_column(column, datasets.Image(decode=False))
    return stream if column == "image" else stream.rename_column(column, "image")


def encoded(entry: dict) -> bytes:
    """The file of a picture: in the shard, or where the entry says, on this disk or (hf://) on the Hub."""
    image = entry["image"]
    if image is None:  # a row without one
        return b""
    if image["bytes"] is not None:
        return image["bytes"]
    with fsspec.open(image["path"]) as file:
        return file.read()


def held_out(data: bytes) -> bool:
    return zlib.crc32(data) % HELD_OUT == 0


def first_pictures(source: str, size: int) -> tuple[Pictures, Pictures]:
    """Of the first pictures of a stream those that are trained on, and those that are held out. Raises DataError."""
    kept, skipped = ([], []), []
    for entry in open_stream(source).take(FIRST):
        data = encoded(entry)
        try:
            kept[held_out(data)].append(to_pixels(to_tensor(open_photo(data), size)))
        except PhotoError as error:
            skipped.append(f"{(entry['image'] or {}).get('path')}: {error}")
    if not all(kept):
        raise DataError(f"{source} holds too few readable pictures to stream; leave out --stream.")
    return Pictures(torch.stack(kept[0]), skipped), Pictures(torch.stack(kept[1]), [])


class Stream(Samples):
    """The samples of one process out of several: pictures from a stream, the rest as in `Samples`."""

    def __init__(self, source: str, size: int, latent_dim: int, seed: int, process: int, processes: int):
        from datasets.distributed import split_dataset_by_node

        super().__init__(Pictures(torch.empty(0), []), latent_dim, seed)
        shuffled = open_stream(source).shuffle(seed=seed, buffer_size=BUFFER)
        self.size, self.stream = size, split_dataset_by_node(shuffled, rank=process, world_size=processes)
        self.threads, self.ahead = ThreadPoolExecutor(), None
        self.reader = ThreadPoolExecutor(1)  # reads the next batch during a step
        self.epoch, self.entries = 0, self._endless()
        self.state = self.stream.state_dict()  # of the batch returned last

    def resume(self, states: list[dict], process: int, processes: int) -> None:
        """Goes on from the states of all processes; where there were more or fewer, with the next epoch."""
        if len(states) == processes:
            self.state = states[process]
            self.stream.load_state_dict(self.state)
            self.epoch = self.state["epoch"]
        else:
            self.epoch = max(state["epoch"] for state in states) + 1
        self.stream.set_epoch(self.epoch)

    def batch(self, start: int, count: int) -> tuple[Tensor, Tensor]:
        """The next `count` pictures of this process, whatever `start`; mirrored and with noise by `start`."""
        pixels, self.state = self.ahead.result() if self.ahead else self._read(count)
        self.ahead = self.reader.submit(self._read, count)
        mirrored, noise = self.chance(start, count)
        x = pixels.float() / 127.5 - 1
        return torch.where(mirrored[:, None, None, None], x.flip(3), x), noise

    def _read(self, count: int) -> tuple[Tensor, dict]:
        pixels: list[Tensor] = []
        while len(pixels) < count:
            some = list(islice(self.entries, count - len(pixels)))
            pixels += [p for p in self.threads.map(self._decode, some) if p is not None]
        return torch.stack(pixels), self.stream.state_dict()

    def _endless(self) -> Iterator[bytes]:
        while True:
            seen = 0
            for entry in self.stream:
                data = encoded(entry)
                if not held_out(data):
                    seen += 1
                    yield data
            if not seen:
                raise DataError("A process found no pictures in the stream; use fewer processes or more shards.")
            self.epoch += 1
            self.stream.set_epoch(self.epoch)

    def _decode(self, data: bytes) -> Tensor | None:
        try:
            return to_pixels(to_tensor(open_photo(data), self.size))
        except PhotoError:
            return None
