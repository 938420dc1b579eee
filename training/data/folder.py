"""A folder of pictures as one array of bytes, and what the n-th training sample is.

Everything random about sample n of a run (which picture, mirrored or not, its noise) follows from the
run's seed and n alone. So a run that was killed goes on as if it had not been, and several processes
share the samples without talking to each other.
"""

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from model.photos import PhotoError, open_photo
from model.pixels import from_pixels, to_pixels, to_tensor

HELD_OUT = 20  # one picture in so many is for validation
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"}


class DataError(ValueError):
    """The folder can't be trained on; its text is one plain sentence."""


@dataclass
class Pictures:
    pixels: Tensor  # uint8 [N, 3, S, S]
    skipped: list[str]  # "name: why" of the files that could not be read

    def __len__(self) -> int:
        return len(self.pixels)

    def floats(self, index: Tensor | slice) -> Tensor:
        """[B, 3, S, S] float32 in [-1, 1]"""
        return from_pixels(self.pixels[index])


def load_pictures(folder: str | Path, size: int, progress: bool = False) -> Pictures:
    """Every picture under a folder, its middle square resized to size x size.

    Unreadable files are skipped and listed. Raises DataError where nothing is left.
    """
    good, skipped = _read(Path(folder), size, progress)
    return Pictures(torch.stack(list(good.values())), skipped)


def load_splits(folder: str | Path, size: int, progress: bool = False) -> tuple[Pictures, Pictures]:
    """Training and validation pictures: FOLDER/train and FOLDER/val, or about a twentieth of FOLDER held out."""
    folder = Path(folder)
    if has_splits(folder):
        return load_pictures(folder / "train", size, progress), load_pictures(folder / "val", size, progress)
    good, skipped = _read(folder, size, progress)
    if len(good) < 2:
        raise DataError(f"The folder {folder} holds one readable picture; at least two are needed.")
    held = {path for path in good if held_out(path.read_bytes())}
    if len(held) in (0, len(good)):  # of a few pictures it can be none, and one is needed
        held = {next(iter(good))}
    train, val = (torch.stack([x for path, x in good.items() if (path in held) == wanted]) for wanted in (False, True))
    return Pictures(train, skipped), Pictures(val, [])


def has_splits(folder: str | Path) -> bool:
    """Whether a folder says itself what to train on and what to measure on: it holds train/ and val/."""
    return all((Path(folder) / name).is_dir() for name in ("train", "val"))


def held_out(data: bytes) -> bool:
    """Whether a picture is never trained on, by the bytes of its file: the same in every order, streamed or not."""
    return zlib.crc32(data) % HELD_OUT == 0


def _read(folder: Path, size: int, progress: bool) -> tuple[dict[Path, Tensor], list[str]]:
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}; --data names a folder of pictures.")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise DataError(f"The folder {folder} holds no pictures ({', '.join(sorted(SUFFIXES))}).")

    def read(path: Path) -> Tensor | str:
        try:
            return to_pixels(to_tensor(open_photo(path), size))
        except PhotoError as error:
            return f"{path.name}: {error}"

    with ThreadPoolExecutor() as pool:
        results = pool.map(read, files)
        results = list(tqdm(results, "reading", len(files), disable=not progress, unit=" pictures", leave=False))
    good = {path: result for path, result in zip(files, results) if isinstance(result, Tensor)}
    skipped = [result for result in results if isinstance(result, str)]
    if not good:
        raise DataError(f"None of the {len(files)} pictures in {folder} can be read ({skipped[0]})")
    return good, skipped


class Samples:
    """The endless row of training samples of a run."""

    def __init__(self, pictures: Pictures, latent_dim: int, seed: int):
        self.pictures, self.latent_dim, self.seed = pictures, latent_dim, seed
        self.epoch, self.order = -1, torch.empty(0)

    def batch(self, start: int, count: int) -> tuple[Tensor, Tensor]:
        """Samples start .. start + count: pictures [B, 3, S, S] in [-1, 1], noise [B, latent_dim] ~ N(0, 1)."""
        index, mirrored, noise = self.which(start, count)
        x = self.pictures.floats(index)
        return torch.where(mirrored[:, None, None, None], x.flip(3), x), noise

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

    def shift(self, start: int, reach: int) -> tuple[int, int]:
        """Pixels down and right, -reach..reach, by which the loss moves its view of the batch from `start`."""
        generator = torch.Generator().manual_seed(self.seed * 15_485_863 + start)
        down, right = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
        return down, right

    def _picture(self, n: int) -> Tensor:
        epoch, position = divmod(n, len(self.pictures))
        if epoch != self.epoch:
            generator = torch.Generator().manual_seed(self.seed * 7_919 + epoch)
            self.epoch, self.order = epoch, torch.randperm(len(self.pictures), generator=generator)
        return self.order[position]
