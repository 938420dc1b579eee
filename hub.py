"""A model on the Hugging Face Hub -> a folder on this disk that holds just what was uploaded.

Nothing here waits long, and nothing here imports torch: the page asks the Hub while torch is being imported.
The files are kept in the Hub client's own cache (HF_HOME), from which they are taken where the Hub can't be asked.
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

# The largest last: once it is there, all are that the model has. Older models have no looks and no breeds.
FILES = ["config.json", "latents.safetensors", "looks.safetensors", "breeds.safetensors", "model.safetensors"]
PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
PATIENCE = 3.0  # seconds for the Hub to say what it has
PROBE = 5.0  # seconds for it to say who we are, before anything is sent: the client's own retries take 25
STALL = 6.0  # seconds: a download that brings no byte for so long is given up
constants.DOWNLOAD_CHUNK_SIZE = 1 << 18  # the client counts bytes by chunks; with its 10 MB a slow line seems to stall
COMMIT = re.compile(r"[0-9a-f]{40}")


class HubError(ValueError):
    """The Hub can't give what was asked for; its text is one plain sentence that says why and what to do."""


class Found(NamedTuple):
    """What the Hub has of a model."""

    commit: str  # 40 hex digits
    hashes: dict[str, str]  # of each of FILES that is there: its sha256, or git's hash of a small one


def split(name: str) -> tuple[str, str]:
    """user/name[@revision] -> user/name, revision ("main" by default). Raises HubError for what can't be a name."""
    repo, at, revision = name.partition("@")
    try:
        validate_repo_id(repo)
    except HFValidationError:
        repo = ""
    if repo.count("/") != 1 or (at and not re.fullmatch(r"\w[\w.\-]*(/\w[\w.\-]*)*", revision)):
        raise HubError(f"There is no folder {name!r}, and a model on the Hub is named user/name or user/name@revision.")
    return repo, revision or "main"


def in_background(call: Callable, *args) -> Future:
    """Runs the call in a daemon thread: the process may end before it."""
    future: Future = Future()

    def run() -> None:
        try:
            future.set_result(call(*args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="hub").start()
    return future


def look_up(name: str) -> Future | None:
    """Asks the Hub in the background what it has; `fetch` waits for the answer. None where there is no need to ask."""
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
    """user/name[@revision] -> a folder with FILES, whole as uploaded, and a phrase on where they are from.

    asked: what `look_up` began. A commit (40 hex digits) that is in the cache is taken without a request; else
    the Hub is asked, for PATIENCE seconds at most; where it can't tell, the cache serves.
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
        # Files are fetched by commit, and so the client notes no branch: an offline start would not find them.
        ref = folder.parent.parent / "refs" / revision
        with contextlib.suppress(OSError):  # a cache that can only be read
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(found.commit, encoding="utf-8")
    return folder, f"{repo} at {found.commit[:7]} on the Hub"


def answer(future: Future, seconds: float, repo: str, revision: str = "main"):
    """The future's result. Raises HubError where it fails or takes longer."""
    try:
        return future.result(timeout=seconds)
    except HubError:
        raise
    except Exception as error:
        raise HubError(plain(error, repo, revision)) from None


def ask(repo: str, revision: str) -> Found:
    """One request. Raises HubError where the answer is that no DogVAE is there."""
    token()
    info = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=PATIENCE)
    there = hashes(info)
    if "model.safetensors" not in there and any(Path(file).suffix in PICKLES for file in there):
        raise HubError(f"{repo} holds a pickle, which could run anything when read; DogVAE reads safetensors only.")
    if "config.json" not in there or "model.safetensors" not in there:
        raise HubError(f"{repo} is not a DogVAE: it has no config.json beside a model.safetensors.")
    return Found(str(info.sha), {file: there[file] for file in FILES if file in there})


def hashes(info: ModelInfo) -> dict[str, str]:
    """Of each file of a repository: its sha256, or git's hash of a small one."""
    return {s.rfilename: s.lfs.sha256 if s.lfs else str(s.blob_id) for s in info.siblings or []}


def _download(repo: str, revision: str, found: Found) -> Path:
    """The files into the cache, each checked: the client itself accepts a flipped byte. Raises HubError."""
    for file, expected in found.hashes.items():
        for _ in range(2):  # what the cache had may be damaged: then once more, from the Hub
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
    """The folder of a revision that was fetched before."""
    found = [try_to_load_from_cache(repo, file, revision=revision) for file in ("config.json", "model.safetensors")]
    there = [Path(path).parent for path in found if isinstance(path, str)]
    return there[0] if len(there) == len(found) else None


def sound(folder: Path) -> bool:
    """Whether its files are as they were uploaded.

    The cache names what it links to by its hash. (Where it can't link, on some Windows, this can't be told.)
    """
    names = {folder / file: Path(os.readlink(folder / file)).name for file in FILES if (folder / file).is_symlink()}
    return all(digest(path, name) == name for path, name in names.items())


def _throw_away(path: Path) -> None:
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def digest(path: Path, like: str) -> str:
    """The hash of a file of the kind that `like` is: git's (40 hex digits; the Hub has it of small files) or sha256."""
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


def token() -> str | None:
    """The token that requests are sent with. Raises HubError where it can't be one: no request could hold it."""
    given = get_token()
    if given and not re.fullmatch(r"[!-~]+", given):
        raise HubError("HF_TOKEN holds a character that no token has, such as an accent or a blank; copy it anew.")
    return given


def probe(api: HfApi) -> None:
    """Asks the Hub who we are. Raises HubError where nothing could be pushed."""
    if not token():
        raise HubError("There is no token to push with; set HF_TOKEN, or log in by hf auth login.")
    who = answer(in_background(api.whoami), PROBE, "your account")
    if who.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise HubError("The token may only read; make one that may write at huggingface.co/settings/tokens.")


def plain(error: BaseException, repo: str, revision: str = "main") -> str:
    """What the Hub's client raised, as one plain sentence that says what to do."""
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
    return "The Hub can't be reached."  # the client's own HTTP library has a dozen names for it


def _of_status(status: int, repo: str) -> str:
    if status == 401:
        return "The Hub refuses the token; set HF_TOKEN to a valid one, or log in anew (hf auth login)."
    if status == 403:
        return f"The token gives no right to this at {repo}; make one that does at huggingface.co/settings/tokens."
    if status == 404:
        return f"The Hub does not find a part of {repo}; look at its page."
    return f"The Hub is out of order (it answers {status}); try again later."
