"""Any file gets a picture or one plain sentence, quickly. The process keeps running and writes no file."""

import json
import os
import subprocess
import sys
import urllib.request
import uuid

import pytest

from tests.support.hostile import MUTATED, corpus, mutations
from tests.support.tiny import ROOT

FUZZ = int(os.environ.get("FUZZ", 25))  # mutations of each kind of picture; make fuzz: 500
SECONDS = 6  # of processor time, to notice hanging: three times what one file may take
MOST_MB = 400  # more than after opening a small photo; 175 were measured


def opened(files: dict[str, bytes], tmp_path) -> dict[str, dict]:
    """Opens the files in another process. Returns each outcome. The process must not crash or leave files behind."""
    folder, elsewhere = tmp_path / "files", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    env = os.environ | {"TMPDIR": str(elsewhere), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.support.hostile", folder]
    done = subprocess.run(command, cwd=elsewhere, env=env, capture_output=True, text=True, timeout=600)
    results = {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, f"died after {list(results)[-1:]}: {done.stderr[-2000:]}"
    assert set(results) == set(files)
    assert list(elsewhere.iterdir()) == [] and {p.name for p in folder.iterdir()} == set(files)
    for name, result in results.items():
        text = result["outcome"]
        assert text == "picture" or (text.endswith(".") and "\n" not in text and len(text) < 200), f"{name}: {text}"
        assert not text.startswith("Traceback"), f"{name}: {text}"
        assert result["seconds"] < SECONDS, f"{name} took {result['seconds']:.1f} s"
    return results


def test_hostile_files(tmp_path):
    results = opened(corpus(), tmp_path)
    pictures = {name for name, result in results.items() if result["outcome"] == "picture"}
    assert {"png-named.jpg", "heic-named.png", "1x1.png", "1x20000.png", "20000x1.jpg", "exif.jpg"} <= pictures
    assert {"icc-junk.jpg", "icc-junk.png", "exif-junk.jpg", "large.png", "large.gif", "large.tif"} <= pictures
    assert {"large-clear.png", "large-deep.png", "large.webp"} <= pictures
    refused = {
        "larger.webp",
        "empty.jpg",
        "huge.png",
        "endless.png",
        "huge.gif",
        "huge.tif",
        "many-scans.jpg",
        "drawing.svg",
    }
    assert not pictures & (refused | {"page.jpg", "nested.zip", "nested.png", "program.eps", "zero.png", "nan.tif"})
    peaks = [result["peak_mb"] for result in results.values()]
    assert max(peaks) - peaks[0] < MOST_MB


@pytest.mark.parametrize("format", MUTATED)
def test_mutated_files(format, tmp_path):
    results = opened(mutations(format, FUZZ), tmp_path)
    outcomes = [result["outcome"] == "picture" for result in results.values()]
    assert not all(outcomes), "a mutation that harms nothing tests nothing"


def send(server, data: bytes, wish: str | None = None) -> dict:
    """Sends a photo as the page does."""
    config = json.load(urllib.request.urlopen(server.url + "/config"))
    pad = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "pad")
    fields = {"component_id": pad, "fn_name": "reconstruct", "session_hash": "stranger"}
    fields |= {"wish": wish} if wish is not None else {}
    mark = uuid.uuid4().hex
    body = "".join(f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items())
    body += f'--{mark}\r\nContent-Disposition: form-data; name="photo"; filename="../../dog.png"\r\n\r\n'
    request = urllib.request.Request(
        server.url + "/gradio_api/component_server/",
        body.encode() + data + f"\r\n--{mark}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={mark}"},
    )
    return json.load(urllib.request.urlopen(request, timeout=60))


def test_the_server_bears_it_and_keeps_nothing(server):
    before = {path for path in server.files.rglob("*") if path.is_file()}
    files = corpus()
    for name in ("huge.png", "large.png", "nested.png", "nan.tif", "drawing.svg", "icc-junk.png", "1x20000.png"):
        answer = send(server, files[name], '{"whole": true}')
        assert "Something went wrong" not in answer.get("error", ""), name
        assert "error" in answer or answer["picture"].startswith("data:image/png"), name
    assert server.process.poll() is None
    assert {path for path in server.files.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "wish",
    ["", "[]", "null", '{"box": [0, 0, 1]}', '{"box": [1, 1, 0, 0]}', '{"box": [0, 0, NaN, 1]}', '{"turns": "x"}',
     '{"turns": 1e999}', '{"box": {"x": 1}}', '{"box": [-99, 0, 99, 1]}', "[" * 9000],
)  # fmt: skip
def test_a_nonsense_wish_gets_a_sentence(server, wish):
    answer = send(server, corpus_dog(), wish)
    assert set(answer) == {"error"} and "Something went wrong" not in answer["error"]


def corpus_dog() -> bytes:
    return (ROOT / "assets" / "dog-1.png").read_bytes()
