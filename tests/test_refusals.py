"""Any call of the endpoints over plain HTTP gets a result or one plain sentence."""

import re

import httpx
import pytest

FILE = {"_type": "gradio.FileData"}
LATENT = [0.0] * 256
NO_PHOTO = "The photo could not be had: upload it first"
KIND = "not of the kind that this endpoint takes"
UNKNOWN = "does not know such a request"
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def api(server):
    with httpx.Client(base_url=f"{server.url}/gradio_api", timeout=60) as client:
        yield client


def refused(answer: httpx.Response) -> str:
    """The sentence of a refused request. It must have the form of all our sentences."""
    assert 400 <= answer.status_code < 500, answer.text
    return plain(answer.json()["error"])


def plain(sentence: str) -> str:
    assert isinstance(sentence, str) and sentence.endswith(".") and "\n" not in sentence and len(sentence) < 200
    assert not re.search(r"Traceback|Error\b|0x|site-packages", sentence)
    return sentence


def failed(api, endpoint: str, arguments: list) -> str:
    """The sentence that a failed call ended with. Calls are made as in README."""
    event = api.post(f"/call/{endpoint}", json={"data": arguments}).json()["event_id"]
    kind, data = api.get(f"/call/{endpoint}/{event}").text.split("\n")[:2]
    assert kind == "event: error", data
    return plain(httpx.Response(200, text=data.removeprefix("data: ")).json()["error"])


@pytest.mark.parametrize(
    "endpoint, arguments, sentence",
    [
        ("sample", [], r"/sample takes 3 values \(seed, temperature, n\); 0 came"),
        ("sample", [1], "1 came"),
        ("sample", [1, 1, 1, 1], "4 came"),
        ("decode", [], r"/decode takes 1 value \(latent\); 0 came"),
        ("reconstruct", [], r"/reconstruct takes 2 values \(photo, nearer\); 0 came"),
        ("morph", [LATENT, LATENT], r"/morph takes 3 values \(a, b, frames\); 2 came"),
        ("sample", ["7", 1, 1], "The seed is a whole number"),
        ("sample", [7, "warm", 1], KIND),
        ("sample", [7, 1, {"n": 1}], "n is a whole number"),
        ("sample", [7, 1, True], "n is a whole number"),
        ("decode", [7], "this is something else"),
        ("decode", [{"path": "/etc/passwd", "meta": FILE}], KIND),
        ("decode", ["dog"], "no valid JSON"),
        ("morph", [LATENT, [LATENT], 5], "256 numbers; this is 1 numbers"),
        ("reconstruct", ["/tmp/x.jpg"], NO_PHOTO),
        ("reconstruct", [7], NO_PHOTO),
        ("reconstruct", [{}], NO_PHOTO),
        ("reconstruct", [None], "No photo arrived"),
        ("reconstruct", [None, 41], "nearer is a whole number from 0 to 40"),
        ("reconstruct", [None, 2.5], "nearer is a whole number from 0 to 40"),
        ("reconstruct", [None, "many"], "nearer is a whole number from 0 to 40"),
        ("reconstruct", [{"path": "/etc/passwd", "meta": FILE}], NO_PHOTO),
        ("reconstruct", [{"path": "\0", "meta": FILE}], NO_PHOTO),
        ("reconstruct", [{"path": ["x"], "meta": FILE}], NO_PHOTO),
        ("reconstruct", [{"path": "http://127.0.0.1:1/dog.jpg", "meta": FILE}], NO_PHOTO),
        ("reconstruct", [{"path": "http://10.0.0.1/dog.jpg", "meta": FILE}], NO_PHOTO),
        ("reconstruct", [{"path": "http://no-such-host.invalid/dog.jpg", "meta": FILE}], NO_PHOTO),
        ("reconstruct", ["http://127.0.0.1:1/dog.jpg"], NO_PHOTO),
    ],
)
def test_wrong_arguments(api, endpoint, arguments, sentence):
    assert re.search(sentence, failed(api, endpoint, arguments))


@pytest.mark.parametrize("arguments, sentence", [([], "0 came"), ([7, 9, 1], "temperature is a number from 0 to 2")])
def test_a_direct_call_says_the_same(api, arguments, sentence):
    answer = api.post("/run/sample", json={"data": arguments})
    assert sentence in plain(answer.json()["error"])


@pytest.mark.parametrize("body", ["", "dog", "[]", "{}", '{"data": 7}', '{"data": null}'])
def test_no_arguments_at_all(api, body):
    answer = api.post("/call/sample", content=body, headers={"Content-Type": "application/json"})
    assert "takes JSON like" in refused(answer)


@pytest.mark.parametrize(
    "path, body",
    [
        ("/call/nothing", {"data": []}),
        ("/run/nothing", {"data": []}),
        ("/call/v2/nothing", {}),
        ("/call/v2/sample", {"seed": 7}),
        ("/call/v2/sample", {"seed": 7, "temperature": 1, "n": 1, "dog": 1}),
        ("/component_server/", {"data": 1, "component_id": 99999, "fn_name": "draw", "session_hash": "x"}),
    ],
)
def test_an_endpoint_that_is_not_there(api, path, body):
    assert UNKNOWN in refused(api.post(path, json=body))


def test_an_upload_without_a_file_name(api):
    """Some clients send a file with an empty name as a text field."""
    body = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nabc\r\n--x--\r\n'
    assert "An upload takes files, each with a name" in refused(api.post("/upload", content=body, headers=FORM))


def test_an_empty_file_name_is_one(api):
    photo = b'--x\r\nContent-Disposition: form-data; name="files"; filename=""\r\n\r\nabc\r\n--x--\r\n'
    (path,) = api.post("/upload", content=photo, headers=FORM).raise_for_status().json()
    assert "could not be read as a picture" in failed(api, "reconstruct", [{"path": path, "meta": FILE}])
