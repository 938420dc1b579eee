"""A folder of pictures as one array of bytes, and what the n-th training sample is.

Everything random about sample n of a run (which picture, mirrored or not, its noise) follows from the
run's seed and n alone. So a run that was killed goes on as if it had not been, and several processes
share the samples without talking to each other.
"""

import csv
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from model.photos import PhotoError, open_photo
from model.pixels import from_pixels, to_pixels, to_tensor

from .walk import DataError, as_folder, pictures_under, splits

SHARP = 0.74  # pixels a side in the photo / pixels a side; below it a picture is an enlargement, without fine detail
HELD_OUT = 20  # one picture in so many is for validation
Folder = str | Path


@dataclass
class Batch:
    """Samples `start` .. of a run, and seeds for whatever else is drawn at random with them."""

    x: Tensor  # [B, 3, S, S] in [-1, 1]
    eps: Tensor  # [B, latent_dim] ~ N(0, 1)
    sharp: Tensor  # bool [B]: False for enlargements of heads that were small in their photo (`Pictures.sharp`)
    start: int
    seed: int  # for these samples alone
    step_seed: int  # for what is the same in all parts of a step

    def to(self, device: torch.device) -> "Batch":
        x = self.x.to(device).contiguous(memory_format=torch.channels_last)
        return replace(self, x=x, eps=self.eps.to(device))


@dataclass
class Pictures:
    pixels: Tensor  # uint8 [N, 3, S, S]
    skipped: list[str]  # "name: why" of the files that could not be read
    side: Tensor | None = None  # [N], pixels a side that each had in its photo (None: S)

    @property
    def sharp(self) -> Tensor:
        """bool [N]: those that are no enlargements, and so have fine detail."""
        if self.side is None:
            return torch.ones(len(self), dtype=torch.bool)
        return self.side >= SHARP * self.pixels.shape[-1]

    def to(self, device: torch.device) -> "Pictures":
        return replace(self, pixels=self.pixels.to(device))

    def first(self, count: int) -> "Pictures":
        return Pictures(self.pixels[:count], [], None if self.side is None else self.side[:count])

    def with_more(self, more: "Pictures") -> "Pictures":
        """These and then others, of the same size."""
        sides = [torch.full((len(p),), p.pixels.shape[-1]) if p.side is None else p.side for p in (self, more)]
        return Pictures(torch.cat([self.pixels, more.pixels]), self.skipped + more.skipped, torch.cat(sides))

    def __len__(self) -> int:
        return len(self.pixels)

    def floats(self, index: Tensor | slice) -> Tensor:
        """[B, 3, S, S] float32 in [-1, 1]"""
        return from_pixels(self.pixels[index])


def load_pictures(folder: Folder, size: int, progress: bool = False, exclude: Folder | None = None) -> Pictures:
    """Every picture under a folder (`pictures_under`), its middle square resized to size x size.

    exclude: a folder in it that is not read. Unreadable files are skipped and listed. Raises DataError where nothing
    is left.
    """
    good, skipped = _read(folder, size, progress, exclude)
    return _together(good, skipped)


def load_splits(
    folder: Folder, size: int, progress: bool = False, exclude: Folder | None = None
) -> tuple[Pictures, Pictures]:
    """Training and validation pictures: FOLDER/train and FOLDER/val (`splits`), or a twentieth of FOLDER held out."""
    if parts := splits(folder):
        return load_pictures(parts[0], size, progress, exclude), load_pictures(parts[1], size, progress, exclude)
    good, skipped = _read(folder, size, progress, exclude)
    if len(good) < 2:
        raise DataError(f"The folder {folder} holds one readable picture; at least two are needed.")
    held = {path for path in good if held_out(path.read_bytes())}
    if len(held) in (0, len(good)):  # of a few pictures it can be none, and one is needed
        held = {next(iter(good))}
    train, val = ({path: x for path, x in good.items() if (path in held) == wanted} for wanted in (False, True))
    return _together(train, skipped), _together(val, [])


def _together(good: dict[Path, tuple[Tensor, int]], skipped: list[str]) -> Pictures:
    pixels, sides = zip(*good.values())
    return Pictures(torch.stack(pixels), skipped, torch.tensor(sides))


def known_sides(folder: Path) -> dict[str, int]:
    """Name of a picture -> pixels a side that it had in its photo, for pictures that were enlarged when they were cut.

    By the table beside the folder: heads.csv, which training.prepare writes, or train.csv beside train/. Empty where
    there is none; what is no number in it is passed over.
    """
    folder = Path(os.path.abspath(folder))  # of "." neither name nor neighbours are known
    for name, column in (("heads.csv", "crop"), (f"{folder.name}.csv", "file")):
        table = folder.parent / name
        if table.is_file():
            with open(table, newline="", encoding="utf-8", errors="surrogateescape") as file:
                rows = [(row.get(column), row.get("side") or "") for row in csv.DictReader(file)]
            return {Path(name).name: int(float(side)) for name, side in rows if name and _is_number(side)}
    return {}


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def held_out(data: bytes) -> bool:
    """Whether a picture is never trained on, by the bytes of its file: the same in every order, streamed or not."""
    return zlib.crc32(data) % HELD_OUT == 0


def _read(
    folder: Folder, size: int, progress: bool, exclude: Folder | None
) -> tuple[dict[Path, tuple[Tensor, int]], list[str]]:
    """Each picture and how many pixels a side it had, and what could not be read."""
    files = pictures_under(folder, exclude)
    if not files:
        raise DataError(f"The folder {folder} holds no pictures.")

    sides = known_sides(as_folder(folder))

    def read(path: Path) -> tuple[Tensor, int] | str:
        try:
            photo = open_photo(path)
            return to_pixels(to_tensor(photo, size)), sides.get(path.name, min(photo.size))
        except PhotoError as error:
            return f"{path.name}: {error}"

    with ThreadPoolExecutor() as pool:
        bar = {"desc": "reading", "total": len(files), "unit": " pictures", "disable": not progress, "leave": False}
        results = list(tqdm(pool.map(read, files), **bar))
    good = {path: result for path, result in zip(files, results) if not isinstance(result, str)}
    skipped = [result for result in results if isinstance(result, str)]
    if not good:
        raise DataError(f"None of the {len(files)} pictures in {folder} can be read ({skipped[0]})")
    return good, skipped


class Samples:
    """The endless row of training samples of a run."""

    def __init__(self, pictures: Pictures, latent_dim: int, seed: int):
        self.pictures, self.latent_dim, self.seed = pictures, latent_dim, seed
        self.epoch, self.order = -1, torch.empty(0)

    def batch(self, start: int, count: int, step: int | None = None) -> Batch:
        """Samples start .. start + count.

        step: the first sample of the whole step, of which these may be a part.
        """
        index, mirrored, eps = self.which(start, count)
        x = self.pictures.floats(index)
        x = torch.where(mirrored.to(x.device)[:, None, None, None], x.flip(3), x)
        return Batch(x, eps, self.pictures.sharp[index], start, *self._seeds(start, step))

    def _seeds(self, start: int, step: int | None) -> tuple[int, int]:
        """`Batch.seed` and `Batch.step_seed`."""
        own, shared = ((self.seed * 15_485_863 + n) % 2**63 for n in (start, start if step is None else step))
        return own, shared

    def which(self, start: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """The same samples as numbers of pictures [B], whether they are mirrored [B], and noise [B, latent_dim]."""
        index = torch.stack([self._picture(n) for n in range(start, start + count)])
        return index, *self.chance(start, count)

    def chance(self, start: int, count: int) -> tuple[Tensor, Tensor]:
        """Whether the samples are mirrored [B], and their noise [B, latent_dim]."""
        mirrored, noise = [], []
        for n in range(start, start + count):
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + n)
            mirrored.append(torch.rand((), generator=generator) < 0.5)
            noise.append(torch.randn(self.latent_dim, generator=generator))
        return torch.stack(mirrored), torch.stack(noise)

    def _picture(self, n: int) -> Tensor:
        epoch, position = divmod(n, len(self.pictures))
        if epoch != self.epoch:
            generator = torch.Generator().manual_seed(self.seed * 7_919 + epoch)
            self.epoch, self.order = epoch, torch.randperm(len(self.pictures), generator=generator)
        return self.order[position]
