"""Loading models from the Hub and from the cache, and what happens if that fails."""

import json
import urllib.request

import pytest

import hub as hub_module
from bench.support.servers import free_port
from tests.support.hub_client import fetched, hub_repo, sentence
from tests.support.serving import serve


def test_a_pinned_revision_in_the_cache_makes_no_request(hub, run, pushed):
    commit = hub.repos["models", "ann/dogs"].refs["main"]
    fetched(run)
    hub.requests.clear()
    folder, source = fetched(run, f"ann/dogs@{commit}")
    assert folder.name == commit and source == f"ann/dogs at {commit[:7]} on the Hub"
    assert not [request for request in hub.requests if "ann/dogs" in request]


@pytest.mark.parametrize("fault", ["401", "403", "503", "never", "down", "offline", "gone"])
def test_the_cache_serves_where_the_hub_does_not(hub, run, pushed, fault):
    folder, _ = fetched(run)
    hub.fault = fault
    if fault == "gone":
        hub.repos.clear()
    more = {"down": {"HF_ENDPOINT": f"http://127.0.0.1:{free_port()}"}, "offline": {"HF_HUB_OFFLINE": "1"}}
    again, source = fetched(run, **more.get(fault, {}))
    assert again == folder and "as it was fetched before, because: " in source and source.endswith(".")


@pytest.mark.parametrize(
    "fault, says",
    [
        ("401", "refuses the token"),
        ("403", "gives no right"),
        ("503", "answers 503"),
        ("never", "does not answer"),
        ("down", "can't be reached"),
        ("offline", "HF_HUB_OFFLINE"),
        ("truncated", "can't be reached"),
        ("stalled", "does not answer"),
        ("flipped", "damaged"),
    ],
)
def test_nothing_in_the_cache_and_the_hub_fails(hub, run, pushed, fault, says, tmp_path):
    hub.fault = fault
    more = {"down": {"HF_ENDPOINT": f"http://127.0.0.1:{free_port()}"}, "offline": {"HF_HUB_OFFLINE": "1"}}
    assert says in sentence(run, **more.get(fault, {}))
    assert not list((tmp_path / "home").rglob("snapshots/*/model.safetensors"))
    hub.fault = ""
    folder, _ = fetched(run)
    assert (folder / "model.safetensors").read_bytes() == pushed["model.safetensors"], "the next try is a good one"


def test_a_newer_commit_that_arrives_damaged_leaves_the_older_one(hub, run, pushed):
    old, _ = fetched(run)
    data = pushed["model.safetensors"]
    hub.repos["models", "ann/dogs"].commit({"model.safetensors": data[:-1] + bytes([data[-1] ^ 1])})
    hub.fault = "flipped"
    folder, source = fetched(run)
    assert folder == old and "damaged" in source
    hub.fault = ""
    assert fetched(run)[0] != old


def test_a_file_that_changed_in_the_cache_is_fetched_anew(hub, run, pushed):
    folder, _ = fetched(run)
    (folder / "model.safetensors").write_bytes(b"rotten")
    again, source = fetched(run, f"ann/dogs@{folder.name}")
    assert (again / "model.safetensors").read_bytes() == pushed["model.safetensors"] and "because" not in source


@pytest.mark.parametrize("name", ["latents.safetensors", "model.safetensors"])
def test_without_the_hub_a_file_that_changed_in_the_cache_is_refused_each_time(hub, run, pushed, name):
    folder, _ = fetched(run)
    (folder / name).write_bytes(b"rotten")
    for wanted in ("ann/dogs", f"ann/dogs@{folder.name}", "ann/dogs"):
        assert "HF_HUB_OFFLINE" in sentence(run, wanted, HF_HUB_OFFLINE="1")
    again, source = fetched(run)
    assert (again / name).read_bytes() == pushed[name] and "because" not in source


def test_a_full_disk(hub, run, pushed):
    assert "could not be kept (File too large)" in sentence(run, "ann/dogs", 100_000)


@pytest.mark.parametrize(
    "files, says",
    [
        ({"config.json": b"{}", "pytorch_model.bin": b"x"}, "pickle"),
        ({"README.md": b"hello"}, "not a DogVAE"),
        ({}, "not a DogVAE"),
    ],
    ids=["pickle", "something else", "empty"],
)
def test_a_repository_of_something_else(hub, run, files, says):
    hub_repo(hub, "ann/dogs", files)
    assert says in sentence(run)


def test_a_repository_that_is_not_open(hub, run, pushed, tmp_path):
    hub.repos["models", "ann/dogs"].gated = True
    assert "lets in" in sentence(run)
    hub.repos["spaces", "ann/page"] = hub.repos["models", "ann/dogs"]
    assert "There is no ann/page of this kind" in sentence(run, "ann/page")
    assert "no revision v9" in sentence(run, "ann/dogs@v9")


@pytest.mark.parametrize("name", ["ann's dogs", "ann/my dogs", "dogs", "ann/dogs@", "ann/dogs@../x", "a/b/c", "ann/.."])
def test_what_can_be_no_name(hub, run, name):
    assert "is named user/name" in sentence(run, name) and not hub.requests


def test_a_newer_config(hub, run, pushed, drawn, tmp_path):
    config = json.loads(pushed["config.json"]) | {"format": 2}
    hub.repos["models", "ann/dogs"].commit({"config.json": json.dumps(config).encode()})
    train = ["-m", "training.train", "--preset", "classic", "--data", drawn, "--out", tmp_path / "run", "--images", 8]
    status, text = run(*train, "--init-from", "ann/dogs", seconds=90)
    assert status == 1 and "format 2" in text and text.endswith("."), text


@pytest.mark.parametrize("fault, says", [("", "Running on ann/dogs at"), ("503", "embedded weights, because: The Hub")])
def test_the_page_says_what_it_runs_on(hub, pushed, env, tmp_path, monkeypatch, fault, says):
    hub.fault = fault
    for key, value in (env | {"WEIGHTS": "ann/dogs"}).items():
        monkeypatch.setenv(key, value)
    running = serve(tmp_path)
    try:
        page = urllib.request.urlopen(running.url + "/config", timeout=30).read().decode()
        assert says in page
    finally:
        running.process.terminate()
        running.process.wait(30)


@pytest.mark.parametrize("token", ["hf_ümlaut", "hf_two words", "hf_a\tb"])
def test_a_token_that_can_not_be_one(token, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(hub_module.HubError, match="HF_TOKEN holds a character"):
        hub_module.ask("ann/dogs", "main")
