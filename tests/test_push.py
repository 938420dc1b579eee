"""Pushing weights to the Hub, making Spaces, and what can fail there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, SpaceCard
from packaging.requirements import Requirement

from bench.support.servers import free_port
from model.pretrained import sha256
from tests.support.hub_client import fetched, hub_repo, sentence
from tests.support.tiny import ROOT
from training.publish.space import SHOWN, stage


def push(weights, *more) -> list:
    return ["-m", "training.push", "--weights", weights, "--repo", "ann/dogs", *more]


def test_push_and_pull(hub, run, weights):
    status, text = run(*push(weights, "--tag", "v1"), seconds=135)
    assert status == 0 and 'load("ann/dogs@v1")' in text, text
    repo = hub.repos["models", "ann/dogs"]
    head = repo.refs["main"]
    assert repo.refs["v1"] == head and len(repo.commits) == 2, "one commit beside that of the creation"
    assert {"README.md", "NOTICE", "metrics.json", "samples.webp", "latents.safetensors"} <= set(repo.commits[head])

    hub.requests.clear()
    status, text = run(*push(weights), seconds=135)
    assert status == 0 and "has these weights already" in text
    assert len(repo.commits) == 2 and not any("commit" in request for request in hub.requests)

    for name in ("ann/dogs", "ann/dogs@v1", f"ann/dogs@{head}"):
        folder, source = fetched(run, name)
        assert source == f"ann/dogs at {head[:7]} on the Hub"
        for file in ("config.json", "model.safetensors", "latents.safetensors"):
            assert (folder / file).read_bytes() == (weights / file).read_bytes()

    metrics = json.loads((weights / "metrics.json").read_text()) | {"minutes": 1234, "pictures": 5678}
    (weights / "metrics.json").write_text(json.dumps(metrics))
    status, text = run(*push(weights, "--tag", "v1"), seconds=135)
    assert status == 1 and "has a tag v1 already" in text and len(repo.commits) == 2
    status, text = run(*push(weights, "--revision", "next"), seconds=135)
    assert status == 0 and len(repo.commits) == 3 and repo.refs["main"] == head
    assert b"(5,678 different ones) in 1234 minutes" in repo.commits[repo.refs["next"]]["README.md"]

    repo.commit({"looks.safetensors": b"of the weights before, beside which these would not load"}, "next")
    status, text = run(*push(weights, "--revision", "next"), seconds=135)
    assert status == 0 and "Pushed to" in text and "looks.safetensors" not in repo.commits[repo.refs["next"]]


def test_what_was_pushed_loads_and_stands_alone(hub, run, weights, env, tmp_path):
    status, text = run(*push(weights, "--private"), seconds=135)
    assert status == 0 and hub.repos["models", "ann/dogs"].private
    load = "from model import load; vae = load('ann/dogs'); print(vae.source); print(vae.weights_id)"
    status, text = run("-c", load, seconds=90)
    assert text.splitlines()[-1] == sha256(weights / "model.safetensors")[:12]
    assert "needs a token" in sentence(run, HF_HOME=str(tmp_path / "other"), HF_TOKEN="")
    folder = tmp_path / "by hand"
    command = [Path(sys.executable).parent / "hf", "download", "ann/dogs", "--local-dir", folder]
    subprocess.run(command, env=env, check=True, timeout=60, capture_output=True)
    card = ModelCard.load(folder / "README.md")
    assert card.data.pipeline_tag == "unconditional-image-generation" and card.data.license
    assert len(card.data.eval_results) == 3 and 'load("ann/dogs")' in card.text
    for linked in ("samples.webp", "NOTICE"):
        assert linked in card.text and (folder / linked).is_file()


def test_a_dry_run_sends_nothing(hub, run, weights):
    status, text = run(*push(weights, "--dry-run"), seconds=90, HF_TOKEN="")
    assert status == 0 and "model.safetensors" in text and "bytes to ann/dogs" in text
    assert not hub.requests


@pytest.mark.parametrize("file", ["model.safetensors", "latents.safetensors", "metrics.json", "config.json"])
def test_weights_that_are_not_fit_to_push(hub, run, weights, file):
    data = (weights / file).read_bytes()
    changed = data[:-1] + bytes([data[-1] ^ 1])
    (weights / file).write_bytes(changed if file.endswith(".safetensors") else data[:-5])
    status, text = run(*push(weights), seconds=90)
    assert status == 1 and text.endswith("."), text
    why = {"model.safetensors": "other weights", "latents.safetensors": "another prior"}
    assert why.get(file, "damaged") in text
    assert not hub.requests


@pytest.mark.parametrize(
    "token, fault, says",
    [
        ("hf_wrong", "", "refuses the token"),
        ("", "", "no token"),
        ("hf_reader", "", "only read"),
        ("hf_writer", "403", "no right"),
        ("hf_writer", "404", "does not find"),
        ("hf_writer", "503", "out of order"),
        ("hf_writer", "never", "does not answer"),
        ("hf_writer", "down", "can't be reached"),
        ("hf_writer", "upload", "can't be reached"),  # the connection is cut
    ],
)
def test_a_push_that_the_hub_does_not_take(hub, run, weights, token, fault, says):
    hub.fault = fault
    down = {"HF_ENDPOINT": f"http://127.0.0.1:{free_port()}"} if fault == "down" else {}
    status, text = run(*push(weights), seconds=135, HF_TOKEN=token, **down)
    assert status == 1 and text.endswith(".") and says in text, text
    if fault == "upload":  # the push is repeated after the interruption
        hub.fault = ""
        status, text = run(*push(weights), seconds=135)
        assert status == 0 and "Pushed to" in text


def test_a_push_into_what_is_not_ours(hub, run, weights):
    hub_repo(hub, "ann/dogs", {"pytorch_model.bin": b"x", "config.json": b"{}"})
    status, text = run(*push(weights), seconds=90)
    assert status == 1 and "something else" in text
    hub_repo(hub, "ann/dogs", {})
    status, text = run(*push(weights, "--private"), seconds=90)
    assert status == 1 and "is public" in text


def test_a_push_to_a_gated_repository(hub, run, weights):
    repo = hub_repo(hub, "ann/dogs", {}, gated=True)
    status, text = run(*push(weights), seconds=135)
    assert status == 1 and "only to those whom its owner lets in" in text and len(repo.commits) == 1


def test_a_push_from_a_full_disk(hub, run, weights):
    """The files are first written to a temporary folder. If that has no room, nothing is sent."""
    small = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))"
    full = f"{small}; from training.push import main; main()"
    status, text = run("-c", full, *push(weights)[2:], seconds=90)
    assert status == 1 and "(File too large)" in text and "TMPDIR" in text and text.endswith("."), text
    assert not hub.requests


def test_a_space(hub, run, pushed):
    commit = hub.repos["models", "ann/dogs"].refs["main"]
    space = ["-m", "training.space", "--space", "ann/page", "--weights", "ann/dogs"]
    status, text = run(*space, "--dry-run", seconds=90)
    assert status == 0 and f"WEIGHTS=ann/dogs@{commit}" in text and ("spaces", "ann/page") not in hub.repos

    status, text = run(*space, seconds=135)
    assert status == 0 and "spaces/ann/page" in text, text
    page = hub.repos["spaces", "ann/page"]
    files = page.commits[page.refs["main"]]
    assert page.settings["sdk"] == "gradio" and page.settings["hardware"] == "zero-a10g"
    assert page.settings["variables"]["WEIGHTS"] == {"value": f"ann/dogs@{commit}"}
    card = SpaceCard(files["README.md"].decode())
    assert card.data.preload_from_hub == [f"ann/dogs config.json,latents.safetensors,model.safetensors {commit}"]
    assert files[card.data.app_file] == (ROOT / "app.py").read_bytes()
    needed = {line.partition(">")[0]: Requirement(line.partition("#")[0]) for line in lines(files["requirements.txt"])}
    assert needed["torch"].specifier.contains("2.11.0") and not needed["torch"].specifier.contains("2.12.0")
    beside = {name for name in files if name.startswith(("tests", "training", "runs")) and not name.endswith(".md")}
    assert "spaces" in needed and beside == set(SHOWN)

    page.commit({"old.py": b"left over"})
    status, text = run(*space[:4], "--hardware", "cpu-basic", seconds=135)  # this time with the embedded weights
    files = page.commits[page.refs["main"]]
    assert status == 0 and page.settings["hardware"] == "cpu-basic" and b"whl/cpu" in files["requirements.txt"]
    assert "old.py" not in files and page.settings["variables"] == {}
    assert run(*space[:4], "--weights", "ann/nothing", seconds=90)[1].startswith("There is no ann/nothing")
    hub_repo(hub, "ann/bert", {"config.json": b"{}"})
    assert "not a DogVAE" in run(*space[:4], "--weights", "ann/bert", seconds=90)[1]


def lines(requirements: bytes) -> list[str]:
    return [line for line in requirements.decode().splitlines() if line and not line.startswith(("#", "--"))]


def test_what_the_space_uploads_is_enough_to_start(tmp_path):
    """The uploaded folder can draw a dog by itself, so it lacks no module of training/ or tests/."""
    (tmp_path / "space").mkdir()
    stage(tmp_path / "space", None, "cpu-basic")
    for page in (tmp_path / "space" / "README.md", *(tmp_path / "space" / "docs").iterdir()):
        links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        assert not [link for link in links if "://" not in link and not (page.parent / link).exists()], page.name
    start = "import app; app.build_app()"
    done = subprocess.run([sys.executable, "-c", start], cwd=tmp_path / "space", capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
