"""Upload a folder of weights to the Hugging Face Hub, so that `load("USER/NAME")` takes it from anywhere.

    python -m training.push --weights weights/dogvae --repo USER/NAME --dry-run

What goes up stands alone: config, weights, latents, metrics, pictures and a card written from metrics.json.
A folder that is on the Hub already makes no commit. The token is HF_TOKEN's, or that of `hf auth login`.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from hub import PROBE, digest, hashes, plain, probe, sha256, sha256_of_tensors, split
from model import load
from model.errors import PlainError
from model.pretrained import BREEDS, LOOKS

from ..command import one_sentence, weights_here
from .card import card

ROOT = Path(__file__).resolve().parents[2]
FILES = ["config.json", "model.safetensors", "latents.safetensors", "metrics.json", "samples.webp"]
MOVES = [LOOKS, BREEDS]  # where training.looks has fitted them
NOTICES = ["LICENSE", "NOTICE"]
EVALUATE = "run python -m training.evaluate --write-metrics on it first"


class PushError(PlainError):
    """Nothing was pushed; its text is one plain sentence."""


def check(weights: Path) -> None:
    """Raises PushError or WeightsError unless the folder is whole, loads, and its metrics are of these very weights."""
    load(weights_here(weights), device="cpu")
    for file in FILES:
        if not (weights / file).is_file():
            raise PushError(f"{weights} has no {file}; {EVALUATE}.")
    try:
        metrics = json.loads((weights / "metrics.json").read_text(encoding="utf-8"))
        measured, latents = metrics["sha256"], metrics.get("latents_sha256")  # older ones did not note it
    except (ValueError, KeyError, TypeError):
        raise PushError(f"{weights}/metrics.json is damaged; {EVALUATE}.") from None
    if measured != sha256(weights / "model.safetensors"):
        raise PushError(f"{weights}/metrics.json is of other weights; {EVALUATE}.")
    if latents not in (None, sha256_of_tensors(weights / "latents.safetensors")):
        raise PushError(f"{weights}/metrics.json is of another prior than its latents.safetensors; {EVALUATE}.")


def stage(weights: Path, repo: str, folder: Path) -> list[Path]:
    """Lays out in `folder` just what is uploaded."""
    pictures = [path for path in weights.iterdir() if path.suffix in (".png", ".webp")]
    moves = [path for file in MOVES if (path := weights / file).is_file()]
    for path in sorted({*pictures, *moves, *(weights / file for file in FILES), *(ROOT / file for file in NOTICES)}):
        shutil.copy(path, folder)
    (folder / "README.md").write_text(card(weights, repo), encoding="utf-8")
    return sorted(folder.iterdir())


def push(files: list[Path], repo: str, private: bool, revision: str | None, tag: str | None) -> str:
    """Uploads the staged files in one commit, if any is new; a sentence on what was done."""
    api = HfApi()
    probe(api)
    there = info(api, repo)
    if there and private and not there.private:
        raise PushError(f"{repo} exists and is public; leave out --private, or make it private on its page first.")
    if there and (names := set(hashes(there)) - {".gitattributes", "README.md"}) and not set(FILES) <= names:
        raise PushError(f"{repo} holds something else than a DogVAE; push to a repository of its own.")
    if there is None:
        api.create_repo(repo, private=private, exist_ok=True)
    if revision:
        api.create_branch(repo, branch=revision, exist_ok=True)
    latest = info(api, repo, revision or "main")
    had = hashes(latest) if latest else {}
    stale = [file for file in MOVES if file not in {path.name for path in files}]  # of the weights that were there
    same = all(path.name in had and digest(path, had[path.name]) == had[path.name] for path in files)
    same = same and not any(file in had for file in stale)
    tagged = info(api, repo, tag) if tag else None
    if tagged and not (same and latest and tagged.sha == latest.sha):
        raise PushError(f"{repo} has a tag {tag} already, of other weights; choose another --tag.")
    if same and latest:
        commit, done = str(latest.sha), f"{repo} has these weights already, at"
    else:
        folder = files[0].parent
        what = {"repo_id": repo, "folder_path": folder, "revision": revision, "delete_patterns": stale}
        pushed = api.upload_folder(**what, commit_message=f"DogVAE {sha256(folder / 'model.safetensors')[:12]}")
        commit, done = pushed.oid, f"Pushed to {repo} at"
    if tag and not tagged:
        api.create_tag(repo, tag=tag, revision=commit)
    return f'{done} {commit[:7]}. Take them by load("{repo}@{tag or commit}").'


def info(api: HfApi, repo: str, revision: str | None = None) -> ModelInfo | None:
    try:
        return api.model_info(repo, revision=revision, files_metadata=True, timeout=PROBE)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return None


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, type=Path, help="a folder of weights that was evaluated")
    parser.add_argument("--repo", required=True, metavar="USER/NAME", help="made if it is not there")
    parser.add_argument("--private", action="store_true", help="for a repository that is made now")
    parser.add_argument("--revision", metavar="BRANCH", help="push there; made if it is not there (default: main)")
    parser.add_argument("--tag", help="name the commit so")
    parser.add_argument("--dry-run", action="store_true", help="show what would go up, and send nothing")
    args = parser.parse_args(argv)
    with one_sentence(
        lambda error: plain(error, args.repo, args.revision or "main"),
        stopped="Stopped; nothing was committed. Push again to go on.",
    ):
        for revision in (args.revision, args.tag):
            split(args.repo if revision is None else f"{args.repo}@{revision}")
        check(args.weights)
        with tempfile.TemporaryDirectory() as folder:
            files = stage(args.weights, args.repo, Path(folder))
            for path in files:
                print(f"{path.stat().st_size:>12,} bytes  {path.name}")
            total = sum(path.stat().st_size for path in files)
            print(f"{total:>12,} bytes to {'the private ' if args.private else ''}{args.repo}", flush=True)
            if not args.dry_run:
                print(push(files, args.repo, args.private, args.revision, args.tag))


if __name__ == "__main__":
    main()
