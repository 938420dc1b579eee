"""The named endpoints through gradio_client, and the pad's own protocol called by another program."""

import asyncio
import json
import math
import threading
import urllib.request
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file
from PIL import Image, ImageChops, ImageStat

from bench.support.servers import free_port
from model import DogFinder, load, open_photo
from model.photos import CUT_SHORT
from model.pixels import to_picture, to_tensor
from tests.support.files import packed
from tests.support.serving import ROOT
from tests.support.threads import answered
from ui.api import has_hung_up
from ui.nearer import Descents
from ui.worker import Gone, Worker

SIZE = json.loads((ROOT / "weights" / "dogvae" / "config.json").read_text())["image_size"]


@pytest.fixture(scope="module")
def client(server, tmp_path_factory):
    return Client(server.url, verbose=False, download_files=tmp_path_factory.mktemp("api"))


def pixels(path: str) -> bytes:
    image = Image.open(path)
    assert image.format == "PNG" and image.size == (SIZE, SIZE)
    return image.convert("RGB").tobytes()


def test_sample_draws_what_decode_draws(client):
    pictures, latents = client.predict(7, 1.0, 3, api_name="/sample")
    assert len(pictures) == len(latents) == 3
    again, _ = client.predict(7, 1.0, 2, api_name="/sample")
    first = pixels(pictures[0]["image"])
    assert pixels(again[0]["image"]) == first
    assert first != pixels(pictures[1]["image"])
    decoded = client.predict(latents[0], api_name="/decode")
    bare = client.predict(latents[0]["z"], api_name="/decode")
    assert pixels(decoded) == pixels(bare)


def test_reconstruct(client):
    path, vae = ROOT / "assets" / "dog-1.png", load(ROOT / "weights" / "dogvae")
    crop, picture, psnr, latent, back = client.predict(handle_file(path), 3, api_name="/reconstruct")
    photo, finder = open_photo(path), DogFinder()
    place = finder.frame(photo, frame=vae.config.frame)
    assert pixels(crop) == to_picture(to_tensor(place.cut(photo, SIZE), SIZE)).tobytes()
    error = sum((a - b) ** 2 for a, b in zip(pixels(crop), pixels(picture))) / len(pixels(crop))
    assert psnr == pytest.approx(10 * math.log10(255**2 / error), abs=0.1)
    assert pixels(client.predict(latent, api_name="/decode")) != pixels(crop)
    pasted, composed = place.paste(photo, Image.open(picture)), Image.open(back).convert("RGB")
    assert composed.size == photo.size and max(ImageStat.Stat(ImageChops.difference(composed, pasted)).mean) < 4
    _, _, at_first, *_ = client.predict(handle_file(path), 0, api_name="/reconstruct")
    assert psnr > at_first


def test_reconstruct_as_before_with_one_argument(client, server):
    photo = handle_file(ROOT / "assets" / "dog-1.png")
    assert client.predict(photo, api_name="/reconstruct")[2] > 15
    sent = httpx.post(f"{server.url}/gradio_api/upload", files={"files": (ROOT / "assets" / "dog-1.png").read_bytes()})
    file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
    answer = httpx.post(f"{server.url}/gradio_api/run/reconstruct", json={"data": [file]}, timeout=120)
    assert len(answer.json()["data"]) == 5, answer.text


@pytest.mark.parametrize("way", ["queued", "at once"])
def test_a_program_that_hangs_up_is_noticed(way):
    """The server can then stop work that nobody waits for."""
    noticed = threading.Event()

    async def wait():
        while not await has_hung_up():
            await asyncio.sleep(0.05)
        noticed.set()

    with gr.Blocks() as app:
        gr.Button().click(wait, api_name="wait")
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_port=free_port())
    if way == "queued":
        event = httpx.post(f"{url}gradio_api/call/wait", json={"data": []}, timeout=60).json()["event_id"]
        with httpx.stream("GET", f"{url}gradio_api/call/wait/{event}", timeout=60):
            assert not noticed.wait(1)
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}gradio_api/run/wait", json={"data": []}, timeout=httpx.Timeout(60, read=1))
    assert noticed.wait(60)
    app.close()


def test_a_descent_that_nobody_waits_for_ends():
    taken = []

    async def is_gone():
        return len(taken) == 3

    descents = Descents(None, Worker())
    descents.begin = lambda x, steps: SimpleNamespace(over=False)
    descents.go_on = taken.append
    with pytest.raises(Gone):
        answered(descents.whole(None, 40, is_gone))
    assert len(taken) == 3


def test_morph(client):
    _, (a, b) = client.predict(3, 1.0, 2, api_name="/sample")
    gif, frames = client.predict(a, b, 5, api_name="/morph")
    assert Image.open(gif).n_frames == len(frames) == 5
    ends = [pixels(client.predict(latent, api_name="/decode")) for latent in (a, b)]
    for frame, end in zip((frames[0], frames[-1]), ends):
        close = [abs(p - q) for p, q in zip(pixels(frame["image"]), end)]
        assert sum(close) / len(close) < 2


@pytest.mark.parametrize(
    "endpoint, arguments, sentence",
    [
        ("/sample", (1, 5.0, 1), "temperature is a number from 0 to 2"),
        ("/sample", (1, None, 1), "not of the kind"),
        ("/sample", (1, 1.0, 0), "n is a whole number from 1 to 64"),
        ("/sample", (1.5, 1.0, 1), "seed is a whole number"),
        ("/sample", (-1, 1.0, 1), "seed is a whole number"),
        ("/decode", ([0.0] * 255,), "list of 256 numbers"),
        ("/decode", ([1e9] * 256,), "absurdly large"),
        ("/decode", ([None] * 256,), "not numbers"),
        ("/decode", ({"format": 2, "z": [0.0] * 256},), "not a DogVAE latent of format 1"),
        ("/decode", ({"format": 1, "weights": "000000000000", "z": [0.0] * 256},), "other weights"),
        ("/morph", ([0.0] * 256, [0.0] * 256, 1000), "frames is a whole number"),
        ("/reconstruct", (handle_file(ROOT / "Makefile"),), "could not be read as a picture"),
    ],
)
def test_bad_input_gets_one_sentence(client, endpoint, arguments, sentence):
    with pytest.raises(Exception, match=sentence) as caught:
        client.predict(*arguments, api_name=endpoint)
    assert "Traceback" not in str(caught.value)


def test_a_photo_that_is_cut_short_comes_with_a_word(server, tmp_path):
    whole = packed(Image.open(ROOT / "assets" / "dog-1.png").convert("RGB"), "JPEG")
    api, session = f"{server.url}/gradio_api", {"session_hash": "short"}
    (path,) = httpx.post(f"{api}/upload", files={"files": ("dog.jpg", whole[:-9])}, timeout=60).json()
    config = httpx.get(f"{server.url}/config", timeout=60).json()
    number = next(d["id"] for d in config["dependencies"] if d["api_name"] == "reconstruct")
    photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
    httpx.post(f"{api}/queue/join", json=session | {"fn_index": number, "data": [photo, 0]}, timeout=60)
    said = []
    with httpx.stream("GET", f"{api}/queue/data", params=session, timeout=60) as events:
        for line in events.iter_lines():
            said += [json.loads(line.removeprefix("data: "))] if line else []
            if said and said[-1]["msg"] == "process_completed":
                break
    assert said[-1]["success"] and CUT_SHORT in [event.get("log") for event in said]


def test_only_the_contract_is_public(client):
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/sample", "/decode", "/move", "/breeds", "/reconstruct", "/morph"}


def test_latents_have_a_schema_that_clients_accept(client):
    """MCP tools are made from the schema. An empty type made /decode and /morph unusable there."""
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    for name in ("/decode", "/morph"):
        assert {kind["type"] for kind in endpoints[name]["parameters"][0]["type"]["anyOf"]} == {"array", "object"}


def pad_call(server, function: str, data) -> dict:
    config = json.load(urllib.request.urlopen(server.url + "/config"))
    pad = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "pad")
    body = {"data": data, "component_id": pad, "fn_name": function, "session_hash": "stranger"}
    request = urllib.request.Request(
        server.url + "/gradio_api/component_server/", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return json.load(urllib.request.urlopen(request, timeout=60))


@pytest.mark.parametrize(
    "function, data",
    [
        ("move", None),
        ("move", {"values": "x" * 1000}),
        ("move", {"values": [0.0] * 255}),
        ("move", {"values": [[0.0]] * 256}),
        ("move", {"values": [1e300] * 256}),
        ("draw", {"seed": "dog", "temperature": 1}),
        ("draw", {"seed": 10**30, "temperature": 1}),
        ("draw", {"seed": 1, "temperature": -1}),
        ("draw", []),
        ("load", {"format": 1, "z": {}}),
        ("reconstruct", {"files": ["/etc/passwd"]}),
        ("move", {"values": [0.0] * 256, "weights": "0123456789ab"}),
        ("move", {"values": [0.5, 2], "space": "map"}),
        ("draw", {"seed": 1, "temperature": 1, "keep": [[256, 0]]}),
        ("draw", {"seed": 1, "temperature": 1, "keep": "dog"}),
        ("thumbnails", {"dogs": [[0.0] * 256] * 33}),
        ("thumbnails", {"dogs": [[None] * 256]}),
        ("contact_sheet", {"dogs": []}),
        ("atlas", {"weights": "0123456789ab"}),
        ("movie", {"name": "x", "kind": "exe", "frames": 9, "dogs": [[0.0] * 256] * 2}),
        ("movie", {"name": "x", "kind": "gif", "frames": 10**9, "dogs": [[0.0] * 256] * 2}),
        ("movie", {"name": ["x"], "kind": "gif", "frames": 9, "dogs": [[0.0] * 256] * 2}),
    ],
)
def test_the_pad_answers_nonsense_with_a_sentence(server, function, data):
    answer = pad_call(server, function, data)
    assert set(answer) == {"error"} and "Something went wrong" not in answer["error"]


def test_the_pad_draws(server):
    assert pad_call(server, "move", {"values": [0.0] * 256})["picture"].startswith("data:image/jpeg")
    still = pad_call(server, "move", {"values": [0.0] * 256, "still": True})
    assert still["picture"].startswith("data:image/png") and len(still["latent"]["z"]) == 256


@pytest.mark.parametrize("announced", [True, False])
def test_a_request_of_many_photos_is_refused(server, announced):
    """Gradio limits each file to 25 MB, but would read a thousand of them into memory."""
    head, piece = b'\r\n--x\r\nContent-Disposition: form-data; name="f"; filename="dog.png"\r\n\r\n', bytes(1 << 20)
    taken = 0  # pieces of the body

    def body():
        nonlocal taken
        for _ in range(5):
            yield head
            for _ in range(20):
                taken += 1
                yield piece

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    headers |= {"Content-Length": str(5 * len(head) + 100 * len(piece))} if announced else {}
    try:
        answer = httpx.post(f"{server.url}/gradio_api/component_server/", content=body(), headers=headers, timeout=60)
        assert answer.status_code == 413
    except httpx.WriteError:  # the server may close the connection before it has read everything
        assert taken < 60
    assert httpx.get(server.url, timeout=60).status_code == 200
