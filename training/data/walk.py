"""Which files of a folder are pictures, and which of its folders are for training and which for validation.

What a file is decides its content; its name only says that somebody took it for a picture.
"""

import mimetypes
import os
import re
from collections.abc import Iterator
from pathlib import Path

from model.errors import PlainError
from model.photos import SUFFIXES, looks_like_photo

TRAIN = ("train", "training")
VAL = ("val", "valid", "validation", "eval", "evaluation", "dev", "test", "testing")  # the first that is there
# Folders of systems and programs, which hold thumbnails, deleted files and copies.
SYSTEM = ("__macosx", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found")
DRESSED = r"[ _-]*(set|split|data|images|photos|pictures)?[ _-]*\d*"  # what may follow such a name
RUN = ("config.json", "model.safetensors")  # what a folder holds that a run wrote: its grids are no data


class DataError(PlainError):
    """The folder can't be trained on; its text is one plain sentence."""


def pictures_under(folder: str | Path, exclude: str | Path | None = None, suffix: str = "") -> list[Path]:
    """The files under a folder that are pictures, or are named like one, sorted.

    Links to folders are followed, and what can be reached twice is there once. Nothing hidden (`is_hidden`), nothing in
    the folder `exclude`, and nothing in a folder that a run wrote. suffix: files that are named so (".tar"), instead
    of pictures. Raises DataError.
    """
    folder = as_folder(folder)
    known = {os.path.realpath(folder)}
    if exclude is not None and str(exclude):
        if os.path.realpath(exclude) in known:
            raise DataError(f"{folder} is the folder of the run itself; give --out a folder of its own.")
        known.add(os.path.realpath(exclude))

    def new(path: Path) -> bool:
        real = os.path.realpath(path)
        if real in known:
            return False
        known.add(real)
        return True

    def walk(here: Path) -> Iterator[Path]:
        for root, folders, files in os.walk(here, followlinks=True):
            if Path(root) != here and set(RUN) <= set(files):
                folders.clear()
                continue
            folders[:] = [name for name in sorted(folders) if not is_hidden(name) and new(Path(root, name))]
            yield from (Path(root, name) for name in sorted(files) if not is_hidden(name))

    wanted = (lambda path: path.suffix.lower() == suffix) if suffix else is_picture
    return sorted(path for path in walk(folder) if path.is_file() and wanted(path) and new(path))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is not meant to be seen."""
    return name.startswith(".") or name.lower() in SYSTEM


def is_picture(path: Path) -> bool:
    """By its name, or, where the name is no picture's, by its first bytes."""
    if named_like_picture(path.name):
        return True
    try:
        with open(path, "rb") as file:
            return looks_like_photo(file.read(32))
    except OSError:
        return False


def named_like_picture(name: str) -> bool:
    kind = mimetypes.guess_type(name)[0] or ""
    return Path(name).suffix.lower() in SUFFIXES or kind.startswith("image/")


def as_folder(name: str | Path) -> Path:
    """Raises DataError where there is none."""
    if not str(name).strip():  # for Path this is the folder in which one is
        raise DataError("No folder was named; name one that holds pictures (. for this one).")
    if not os.path.isdir(name):  # False, too, for what can be no name
        raise DataError(f"There is no folder {name}; --data names a folder of pictures.")
    return Path(name)


def splits(folder: str | Path) -> tuple[Path, Path] | None:
    """The folders in it for training and for validation, however their names are written; None where it has not both.

    They may lie deeper, in the only folder that it holds. Raises DataError where two could be meant.
    """
    if not str(folder).strip() or not os.path.isdir(folder):
        return None
    here, known = Path(folder), set()
    while (only := _only_folder(here)) and (real := os.path.realpath(only)) not in known:
        here = only
        known.add(real)
    inside = [path for path in _visible(here) if path.is_dir()]
    parts = [_meant(inside, names) for names in (TRAIN, VAL)]
    if not all(parts):
        return None
    for first, *others in parts:
        if others:
            raise DataError(f"{here} holds {first.name}/ and {others[0].name}/; keep one of them.")
    return parts[0][0], parts[1][0]


def _meant(folders: list[Path], names: tuple[str, ...]) -> list[Path]:
    """The different folders with the first of these names that there is: train also as Train, train_set, train2017."""
    for name in names:
        alike = [path for path in folders if re.fullmatch(name + DRESSED, path.name.lower())]
        if alike:
            return list({path.resolve(): path for path in reversed(alike)}.values())[::-1]
    return []


def _only_folder(folder: Path) -> Path | None:
    """The folder in this one, where there is nothing else that could be trained on."""
    inside = [path for path in _visible(folder) if path.is_dir()]
    if len(inside) != 1:
        return None
    files = (path for path in _visible(folder) if path.is_file())
    return None if any(path.suffix.lower() == ".tar" or is_picture(path) for path in files) else inside[0]


def _visible(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not is_hidden(path.name)]
