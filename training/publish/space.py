"""Put the page on a Hugging Face Space: `make space SPACE=USER/NAME`, with DRY=1 to see what would go.

    python -m training.space --space USER/NAME --weights USER/MODEL@v1

Only what the page needs goes up, and what its README links to. With --weights the Space runs those, pinned to their
commit and fetched when it is built; the embedded ones stay as what it falls back on. Free accounts get ZeroGPU, which
is the default.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from huggingface_hub import HfApi, SpaceCard, SpaceHardware

from hub import PATIENCE, answer, ask, in_background, plain, probe, split

from ..command import one_sentence

ROOT = Path(__file__).resolve().parents[2]
SHOWN = ["training/losses.py", "training/gan.py"]  # the lesson shows lines of them (ui/lesson/code.py)
NEEDED = ["app.py", "hub.py", "LICENSE", "NOTICE", "model", "ui", "assets", "weights", *SHOWN]
READ_ON = ["docs", "training/RESULTS.md"]  # what README.md links to beside them
ZERO_GPU = {"torch": "torch>=2.8,<2.12", "torchvision": "torchvision>=0.23,<0.27"}  # what it has drivers for
CPU_WHEELS = "--extra-index-url https://download.pytorch.org/whl/cpu"  # 0.2 GB instead of 3


def requirements(hardware: str) -> str:
    """requirements.txt with the torch that the hardware takes."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if hardware.startswith("zero"):
        lines = [ZERO_GPU.get(line.partition(">")[0], line) for line in lines] + ["spaces>=0.40  # lends the GPU"]
    elif hardware.startswith("cpu"):
        lines = [CPU_WHEELS, *lines]
    return "\n".join(lines) + "\n"


def readme(weights: str | None, hardware: str, files: list[str]) -> str:
    """README.md, its head saying what the Space is to be built with. weights: user/name@commit; files: what it has."""
    card = SpaceCard((ROOT / "README.md").read_text(encoding="utf-8"))
    facts: dict[str, object] = {"suggested_hardware": hardware}
    if weights:
        repo, commit = split(weights)
        facts |= {"models": [repo], "preload_from_hub": [f"{repo} {','.join(files)} {commit}"]}
    for key, value in facts.items():
        setattr(card.data, key, value)
    return str(card)


def stage(folder: Path, weights: str | None, hardware: str, files: list[str] | None = None) -> None:
    """Lays out in `folder` just what is uploaded."""
    for name in NEEDED + READ_ON:
        source, skip = ROOT / name, shutil.ignore_patterns("__pycache__", "*.part", "*.jsonl")
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=skip)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    (folder / "requirements.txt").write_text(requirements(hardware), encoding="utf-8")
    (folder / "README.md").write_text(readme(weights, hardware, files or []), encoding="utf-8")


def pin(name: str) -> tuple[str, list[str]]:
    """user/name[@revision] -> user/name@commit and the files that the app takes of it, as the Hub has it now.

    Raises HubError, also where it is no DogVAE.
    """
    repo, revision = split(name)
    found = answer(in_background(ask, repo, revision), PATIENCE, repo, revision)
    return f"{repo}@{found.commit}", list(found.hashes)


def deploy(folder: Path, space: str, weights: str | None, hardware: SpaceHardware) -> str:
    """Makes the Space if it is not there, sets it up, uploads; its address."""
    api = HfApi()
    probe(api)
    url = api.create_repo(space, repo_type="space", space_sdk="gradio", space_hardware=hardware, exist_ok=True)
    if weights:
        api.add_space_variable(space, "WEIGHTS", weights)
    elif "WEIGHTS" in api.get_space_variables(space):  # of a deployment before this one
        api.delete_space_variable(space, "WEIGHTS")
    api.request_space_hardware(space, hardware)
    api.upload_folder(
        repo_id=space, repo_type="space", folder_path=folder, delete_patterns="*", commit_message="DogVAE"
    )
    return str(url)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", required=True, metavar="USER/NAME", help="made if it is not there")
    parser.add_argument("--weights", metavar="USER/NAME[@REVISION]", help="on the Hub (default: the embedded ones)")
    kinds = [str(kind.value) for kind in SpaceHardware]
    parser.add_argument("--hardware", default="zero-a10g", choices=kinds, metavar="NAME", help="default: zero-a10g")
    parser.add_argument("--dry-run", action="store_true", help="show what would go up, and send nothing")
    args = parser.parse_args(argv)
    with one_sentence(lambda error: plain(error, args.space)):
        split(args.space)
        weights, needed = pin(args.weights) if args.weights else (None, [])
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            stage(folder, weights, args.hardware, needed)
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            for path in files:
                print(f"{path.stat().st_size:>12,} bytes  {path.relative_to(folder)}")
            total = sum(path.stat().st_size for path in files)
            print(f"{total:>12,} bytes to {args.space} on {args.hardware}, WEIGHTS={weights or ''}", flush=True)
            if args.dry_run:
                print(f"\nrequirements.txt:\n{requirements(args.hardware)}")
                print("README.md:\n---\n" + SpaceCard(readme(weights, args.hardware, needed)).data.to_yaml() + "\n---")
            else:
                print(f"Building: {deploy(folder, args.space, weights, SpaceHardware(args.hardware))}")


if __name__ == "__main__":
    main()
