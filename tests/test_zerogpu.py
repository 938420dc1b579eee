"""The page on ZeroGPU, with a stand-in for its library `spaces` that has the same restrictions."""

import httpx
import pytest
from gradio_client import Client

from bench.support.visitors import pad_protocol
from tests.support.serving import serve

SPACES = """
import threading
import torch
from gradio.context import LocalContext

watched, move = threading.get_ident(), torch.nn.Module.to

def to(module, *args, **kwargs):
    if args[:1] != ("cuda",):
        return move(module, *args, **kwargs)
    if threading.get_ident() != watched:
        raise RuntimeError("CUDA must not be initialized in the main process")
    return module  # there is no GPU here

torch.nn.Module.to = to

def GPU(duration):
    def lending(function):
        def lent(z):
            visitor = LocalContext.request.get(None)
            print(f"{len(z)} asked for by {visitor and visitor.client.host}", flush=True)
            if len(z) == 17:
                raise RuntimeError("No GPU is to be had.")
            return function(z)
        return lent
    return lending
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    folder = tmp_path_factory.mktemp("space")
    (folder / "spaces.py").write_text(SPACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPACES_ZERO_GPU", "1")
        patch.setenv("PYTHONPATH", str(folder))
        server = serve(folder)
    yield server
    server.process.terminate()
    server.process.wait(30)


def lent(space) -> str:
    return (space.files / "server.log").read_text()


def test_batches_are_drawn_on_the_gpu_that_is_lent_and_else_on_the_cpu(space, tmp_path):
    client = Client(space.url, verbose=False, download_files=tmp_path)
    for n in (2, 16, 17):
        pictures, _ = client.predict(7, 1.0, n, api_name="/sample")
        assert len(pictures) == n
    assert "\n2 asked" not in lent(space)
    assert "16 asked for by 127.0.0.1" in lent(space)
    assert "17 asked" in lent(space) and "no GPU was lent (No GPU is to be had.)" in lent(space)


def test_the_page_asks_for_its_visitor(space):
    address, pad, first = pad_protocol(space.url)
    body = {"data": {"dogs": [first] * 20}, "component_id": pad, "fn_name": "contact_sheet", "session_hash": "x"}
    answer = httpx.post(address, json=body, timeout=60).json()
    assert answer["picture"].startswith("data:image/png") and "20 asked for by 127.0.0.1" in lent(space)


def test_the_models_of_the_lesson_ask_for_no_gpu(space):
    components = httpx.get(f"{space.url}/config", timeout=60).json()["components"]
    lesson = next(c["id"] for c in components if c["props"].get("elem_id") == "lesson")
    for part, data in {"squeeze": None, "rooms": None, "bell": {"seed": 1}}.items():
        body = {"data": data, "component_id": lesson, "fn_name": part, "session_hash": "x"}
        answer = httpx.post(f"{space.url}/gradio_api/component_server/", json=body, timeout=60).json()
        assert answer and not answer.get("error"), answer
