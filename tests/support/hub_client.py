"""Fixtures for the local stand-in of the Hub. Tests use it through the real client, in separate processes.

The time limits guard against hanging: they are three times the promised times.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.support.hub import Loopback, Repo
from bench.support.servers import free_port
from hub import sha256, sha256_of_tensors
from model.pretrained import save
from tests.support.tiny import ROOT, some_latents, tiny_vae

FETCH = """
import resource, sys, hub
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
try:
    print(*hub.fetch(sys.argv[1]), sep="\\n")
except hub.HubError as error:
    sys.exit(str(error))
"""


@pytest.fixture(scope="module")
def loopback():
    server = Loopback(free_port())
    yield server
    server.server.should_exit = True


@pytest.fixture
def hub(loopback):
    """The Hub, empty and without faults."""
    loopback.repos.clear(), loopback.large.clear(), loopback.requests.clear()
    loopback.fault = ""
    return loopback


@pytest.fixture
def env(hub, tmp_path):
    """Environment variables that make a process use the stand-in as the Hub."""
    quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_writer"} | quiet


@pytest.fixture
def run(env):
    """run(*arguments of python, **environment) -> exit status, output (last line of stderr if it failed)."""

    def run(*args, seconds: float = 30, **more) -> tuple[int, str]:
        command, spoken = [sys.executable, *map(str, args)], {"capture_output": True, "text": True}
        done = subprocess.run(command, cwd=ROOT, env=env | more, timeout=seconds, **spoken)
        assert "Traceback" not in done.stderr, done.stderr
        text = (done.stderr if done.returncode else done.stdout).strip()
        return done.returncode, text if done.returncode == 0 else text.splitlines()[-1]

    return run


@pytest.fixture
def weights(tmp_path) -> Path:
    """A folder with a tiny model and its metrics, as evaluation writes it."""
    vae = tiny_vae()
    vae.latents = some_latents()
    folder = tmp_path / "weights"
    save(vae, folder)
    metrics = json.loads((ROOT / "weights/dogvae/metrics.json").read_text())
    metrics |= {"sha256": sha256(folder / "model.safetensors"), "preset": "tiny"}
    metrics["latents_sha256"] = sha256_of_tensors(folder / "latents.safetensors")
    (folder / "metrics.json").write_text(json.dumps(metrics))
    shutil.copy(ROOT / "weights/dogvae/samples.webp", folder)
    return folder


@pytest.fixture
def pushed(hub, weights) -> dict[str, bytes]:
    """Puts the model on the Hub as ann/dogs directly: a real push would take longer."""
    files = {path.name: path.read_bytes() for path in weights.iterdir()}
    hub_repo(hub, "ann/dogs", files)
    return files


def hub_repo(hub, name: str, files: dict[str, bytes], **options):
    repo = hub.repos["models", name] = Repo(**options)
    repo.commit(files)
    return repo


def fetched(run, name="ann/dogs", *limit, **more) -> tuple[Path, str]:
    status, text = run("-c", FETCH, name, *limit, **more)
    assert status == 0, text
    folder, source = text.splitlines()[-2:]
    return Path(folder), source


def sentence(run, name="ann/dogs", *limit, **more) -> str:
    status, text = run("-c", FETCH, name, *limit, **more)
    assert status == 1 and text.endswith("."), text
    return text
