"""Downloads a model from the Hugging Face Hub into a local folder that holds exactly what was uploaded.

Nothing here waits long. This module must not import torch: the page asks the Hub while torch is being imported.
The files are kept in the Hub client's own cache (HF_HOME). If the Hub does not answer, they are taken from there.
"""

import contextlib
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError, wait
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import HfApi, ModelInfo, constants, get_token, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import tqdm, validate_repo_id

# The largest file comes last: once it has arrived, all files of the model have. Older models lack looks and breeds.
FILES = ["config.json", "latents.safetensors", "looks.safetensors", "breeds.safetensors", "model.safetensors"]
PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
PATIENCE = 3.0  # seconds to wait for the Hub's list of files
PROBE = 5.0  # seconds to wait for the account's name before a push; the client's own retries would take 25
STALL = 6.0  # seconds without a byte after which a download is given up
# In bytes. The client reports progress once a chunk; with its own 10 MB, a slow line looks stalled.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 18
COMMIT = re.compile(r"[0-9a-f]{40}")


class HubError(ValueError):
    """The Hub can't give what was asked for. The text is one plain sentence that says why and what to do."""


class Found(NamedTuple):
    """What the Hub has of a model."""

    commit: str  # 40 hex digits
    hashes: dict[str, str]  # name -> sha256 (git's hash for small files), for those of FILES that the model has


def split(name: str) -> tuple[str, str]:
    """user/name[@revision] -> user/name, revision ("main" by default). Raises HubError if the name is not valid."""
    repo, at, revision = name.partition("@")
    try:
        validate_repo_id(repo)
    except HFValidationError:
        repo = ""
    if repo.count("/") != 1 or (at and not re.fullmatch(r"\w[\w.\-]*(/\w[\w.\-]*)*", revision)):
        raise HubError(f"There is no folder {name!r}, and a model on the Hub is named user/name or user/name@revision.")
    return repo, revision or "main"


def in_background(call: Callable, *args) -> Future:
    """Runs the call in a daemon thread, so the process can exit before the call ends."""
    future: Future = Future()

    def run() -> None:
        try:
            future.set_result(call(*args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="hub").start()
    return future


def look_up(name: str) -> Future | None:
    """Asks the Hub in the background for its list of files; `fetch` waits for it. None if there is no need to ask."""
    if not name or Path(name).is_dir():
        return None
    try:
        repo, revision = split(name)
    except HubError:
        return None
    if COMMIT.fullmatch(revision) and cached(repo, revision):
        return None
    return in_background(ask, repo, revision)


def fetch(name: str, asked: Future | None = None) -> tuple[Path, str]:
    """user/name[@revision] -> a folder with FILES, exactly as uploaded, and a phrase that says where they are from.

    asked: the result of `look_up`. If the revision is a commit (40 hex digits) in the cache, no request is sent.
    Otherwise the Hub is asked, for PATIENCE seconds at most. If that fails, the cache is used.
    Raises HubError.
    """
    repo, revision = split(name)
    pinned = COMMIT.fullmatch(revision)
    if pinned and (folder := cached(repo, revision)) and sound(folder):
        return folder, f"{repo} at {revision[:7]} on the Hub"
    try:
        found = answer(asked or in_background(ask, repo, revision), PATIENCE, repo, revision)
        folder = _download(repo, revision, found)
    except HubError as error:
        if (folder := cached(repo, revision)) and sound(folder):
            return folder, f"{repo} at {folder.name[:7]} on the Hub, as it was fetched before, because: {error}"
        raise
    if not pinned:
        # The client notes no branch because files are fetched by commit. Without this note, an offline start would
        # not find them.
        ref = folder.parent.parent / "refs" / revision
        with contextlib.suppress(OSError):  # the cache may be read-only
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(found.commit, encoding="utf-8")
    return folder, f"{repo} at {found.commit[:7]} on the Hub"


def answer(future: Future, seconds: float, repo: str, revision: str = "main"):
    """The future's result. Raises HubError if the call fails or takes longer."""
    try:
        return future.result(timeout=seconds)
    except HubError:
        raise
    except Exception as error:
        raise HubError(plain(error, repo, revision)) from None


def ask(repo: str, revision: str) -> Found:
    """Lists the repository's files with one request. Raises HubError if it holds no DogVAE."""
    token()
    info = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=PATIENCE)
    there = hashes(info)
    if "model.safetensors" not in there and any(Path(file).suffix in PICKLES for file in there):
        raise HubError(f"{repo} holds a pickle, which could run anything when read; DogVAE reads safetensors only.")
    if "config.json" not in there or "model.safetensors" not in there:
        raise HubError(f"{repo} is not a DogVAE: it has no config.json beside a model.safetensors.")
    return Found(str(info.sha), {file: there[file] for file in FILES if file in there})


def hashes(info: ModelInfo) -> dict[str, str]:
    """Each file of a repository -> its sha256 (git's hash for small files)."""
    return {s.rfilename: s.lfs.sha256 if s.lfs else str(s.blob_id) for s in info.siblings or []}


def _download(repo: str, revision: str, found: Found) -> Path:
    """Downloads the files into the cache and checks each: the client itself accepts a flipped byte. Raises HubError."""
    for file, expected in found.hashes.items():
        for _ in range(2):  # the cached file may be damaged; the second try downloads it again
            path = _download_file(repo, file, revision, found.commit)
            if digest(path, expected) == expected:
                break
            _throw_away(path)
        else:
            raise HubError(f"{file} of {repo} arrived damaged and was thrown away; start again to fetch it anew.")
    return path.parent


def _download_file(repo: str, file: str, revision: str, commit: str) -> Path:
    moved = time.monotonic()

    class Progress(tqdm):
        def update(self, n=1):
            nonlocal moved
            moved = time.monotonic()
            return super().update(n)

    options = {"revision": commit, "etag_timeout": PATIENCE, "tqdm_class": Progress}
    future = in_background(lambda: hf_hub_download(repo, file, **options))
    while not future.done() and time.monotonic() - moved < STALL:
        wait([future], timeout=0.1)
    return Path(answer(future, 0, repo, revision))


def cached(repo: str, revision: str) -> Path | None:
    """The folder of a revision that was fetched before, or None."""
    found = [try_to_load_from_cache(repo, file, revision=revision) for file in ("config.json", "model.safetensors")]
    there = [Path(path).parent for path in found if isinstance(path, str)]
    return there[0] if len(there) == len(found) else None


def sound(folder: Path) -> bool:
    """Whether the files are as they were uploaded.

    The cache links to files that are named by their hash. If it can't link (on some Windows), nothing is checked.
    """
    names = {folder / file: Path(os.readlink(folder / file)).name for file in FILES if (folder / file).is_symlink()}
    return all(digest(path, name) == name for path, name in names.items())


def _throw_away(path: Path) -> None:
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def digest(path: Path, like: str) -> str:
    """The file's hash, of the same kind as `like`: git's (40 hex digits; the Hub has it for small files) or sha256."""
    if len(like) != 40:
        return sha256(path)
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_tensors(path: Path) -> str:
    """Of a small safetensors file without its header, where training.looks writes the names of directions."""
    with open(path, "rb") as file:
        file.seek(int.from_bytes(file.read(8), "little"), os.SEEK_CUR)
        return hashlib.sha256(file.read()).hexdigest()


def token() -> str | None:
    """The token to send with requests. Raises HubError if it holds a character that can't be sent."""
    given = get_token()
    if given and not re.fullmatch(r"[!-~]+", given):
        raise HubError("HF_TOKEN holds a character that no token has, such as an accent or a blank; copy it anew.")
    return given


def probe(api: HfApi) -> None:
    """Asks the Hub which account the token is of. Raises HubError if a push would be refused."""
    if not token():
        raise HubError("There is no token to push with; set HF_TOKEN, or log in by hf auth login.")
    who = answer(in_background(api.whoami), PROBE, "your account")
    if who.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise HubError("The token may only read; make one that may write at huggingface.co/settings/tokens.")


def plain(error: BaseException, repo: str, revision: str = "main") -> str:
    """Turns an error of the Hub's client into one plain sentence that says what to do."""
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__:
        error = error.__cause__
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, GatedRepoError):
        return f"{repo} is open only to those whom its owner lets in; ask on its page, then log in (hf auth login)."
    if isinstance(error, RepositoryNotFoundError):
        return f"There is no {repo} of this kind on the Hub, or it is private and needs a token (HF_TOKEN)."
    if isinstance(error, RevisionNotFoundError):
        return f"{repo} has no revision {revision}; name a branch, a tag or a commit that it has."
    if status is not None:
        return _of_status(status, repo)
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so the Hub is not asked."
    if isinstance(error, HFValidationError):
        return f"{repo!r} is no name that the Hub takes; use user/name."
    if isinstance(error, TimeoutError):
        return "The Hub does not answer in time; try again later."
    if isinstance(error, OSError) and error.errno:
        kept = f"A file of {repo} could not be kept ({error.strerror})"
        return f"{kept}; make room, or set HF_HOME and TMPDIR to folders elsewhere."
    if isinstance(error, OSError):  # fewer bytes than were announced
        return f"A file of {repo} came only in part; try again."
    return "The Hub can't be reached."  # the client's HTTP library has a dozen classes for this


def _of_status(status: int, repo: str) -> str:
    if status == 401:
        return "The Hub refuses the token; set HF_TOKEN to a valid one, or log in anew (hf auth login)."
    if status == 403:
        return f"The token gives no right to this at {repo}; make one that does at huggingface.co/settings/tokens."
    if status == 404:
        return f"The Hub does not find a part of {repo}; look at its page."
    return f"The Hub is out of order (it answers {status}); try again later."
