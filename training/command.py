"""How a command ends that can't do its work: with one sentence and status 1, never with a traceback."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from hub import HubError
from model import WeightsError
from model.errors import PlainError

from .processes import is_main

# An error that is not one of ours -> what is to be said of it; None for a mistake in the program.
Explain = Callable[[Exception], str | None]


def named_folder(text: str) -> Path:
    """The type of an option that names a folder: for Path an empty name would be the current one."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it names no folder")
    return Path(text)


def weights_here(folder: str | Path) -> Path:
    """A folder of weights on this disk, for a command that writes into it. Raises WeightsError."""
    if not str(folder).strip() or not Path(folder).is_dir():
        raise WeightsError(f"There is no folder {folder}; --weights names one that training.train has written.")
    return Path(folder)


def unwritten(what: str) -> Explain:
    """For a command that reads and writes files. what: "The results", or what else could not be written."""

    def explain(error: Exception) -> str | None:
        if not isinstance(error, OSError):
            return None
        where = f"{error.filename}: " if error.filename else ""
        return f"{what} could not be written: {where}{error.strerror or error}."

    return explain


@contextlib.contextmanager
def one_sentence(explain: Explain, stopped: str = "Stopped.") -> Iterator[None]:
    """`with one_sentence(unwritten("The results")):` round the work of a command. stopped: what Ctrl-C is answered."""
    try:
        yield
    except (PlainError, HubError) as error:  # HubError stands apart: hub.py is there before torch, and so before model
        give_up(str(error))
    except KeyboardInterrupt:
        give_up(stopped)
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        give_up(sentence)


def give_up(sentence: str) -> None:
    """Of several processes, one says why."""
    sys.exit(sentence if is_main() else 1)
