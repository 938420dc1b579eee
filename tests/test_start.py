"""The app starts with any proxies, temporary folders and locales, or says why it can't."""

import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from bench.support.servers import free_port
from tests.support.tiny import ROOT

# Starts Gradio without the model, because loading it takes most of the time.
STAND_IN = """
from ui import surroundings
host, port = surroundings.prepare()
import gradio as gr
with gr.Blocks() as page:
    gr.File()
page.launch(server_name=host, server_port=port, ssr_mode=False, prevent_thread_lock=True)
import os, pathlib, httpx, huggingface_hub
httpx.Client().close()
folder = pathlib.Path(gr.utils.get_upload_folder())
folder.mkdir(parents=True, exist_ok=True)
(folder / "Hündchen.txt").write_text("Größe", encoding="utf-8")
print("served", folder)
"""


def start(*command: str, **env: str) -> tuple[int, str]:
    """Runs a command. Returns its exit status and its output, which must not hold a traceback."""
    known = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    known |= {"GRADIO_ANALYTICS_ENABLED": "False", "PORT": str(free_port())}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=known | env, capture_output=True, timeout=120, check=False
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert "Traceback" not in said, said
    return done.returncode, said


@pytest.fixture(scope="module")
def broken_proxy():
    """A proxy that answers each request with 502."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(502)

        do_HEAD = do_CONNECT = do_GET

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


NOWHERE = "http://127.0.0.1:9"


# Each start takes seconds, so one start tests a kind of proxy and a kind of folder together.
@pytest.mark.parametrize("kind", ["nowhere", "502", "socks", "nonsense", "certificates"])
def test_proxies_and_temporary_folders(kind, broken_proxy, tmp_path):
    (tmp_path / "gradio").write_text("somebody else's", encoding="utf-8")
    nothing = str(tmp_path / "gradio" / "mine")
    env = {
        "nowhere": {"HTTP_PROXY": NOWHERE, "https_proxy": NOWHERE, "ALL_PROXY": NOWHERE, "TMPDIR": str(tmp_path)},
        "502": {"HTTP_PROXY": broken_proxy, "NO_PROXY": "example.org", "GRADIO_TEMP_DIR": nothing},
        "socks": {"ALL_PROXY": "socks5://h:9", "http_proxy": "socks4://h:9", "TMPDIR": nothing, "TEMP": nothing},
        "nonsense": {"HTTP_PROXY": "http://[::1", "all_proxy": "://", "NO_PROXY": "[::1],*.a.b, ,::1/128"},
        "certificates": {"SSL_CERT_FILE": nothing, "SSL_CERT_DIR": nothing, "GRADIO_TEMP_DIR": " "},
    }[kind]
    status, said = start("-c", STAND_IN, **env)
    assert status == 0 and "served" in said, said
    assert ("_PROXY is left out" in said) == (kind in ("socks", "nonsense")), said
    assert ("SSL_CERT_FILE is left out" in said) == (kind == "certificates"), said
    assert not Path(said.split("served ")[1].splitlines()[0]).exists(), "its own folder is left behind"


@pytest.mark.parametrize("port", ["abc", "0", "65536", "7860.5", "７８６０"])
def test_a_port_that_is_none(port):
    status, said = start("app.py", PORT=port)
    assert status == 1 and said.count("\n") == 1 and "from 1 to 65535" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_is_taken(host):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        status, said = start("app.py", PORT=str(port), GRADIO_SERVER_NAME=host)
    assert status == 1 and said.count("\n") == 1 and f"Port {port} is taken" in said and "start with PORT=" in said


@pytest.mark.parametrize("host", ["nowhere.invalid", "1.2.3.4", "x" * 300])
def test_a_host_that_is_none(host):
    status, said = start("app.py", GRADIO_SERVER_NAME=host)
    assert status == 1 and said.count("\n") == 1 and "GRADIO_SERVER_NAME" in said


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="NOT TESTED: this machine has no IPv6")
@pytest.mark.parametrize("host", ["[::1]", "::"])
def test_ipv6(host):
    status, said = start("-c", STAND_IN, GRADIO_SERVER_NAME=host, HTTP_PROXY=NOWHERE)
    assert status == 0 and "served" in said, said


def test_the_app_itself_starts_in_the_worst_of_them(tmp_path):
    """Unreachable HTTP and SOCKS proxies, another user's temporary folder, and a locale without UTF-8."""
    (tmp_path / "gradio").write_text("somebody else's", encoding="utf-8")
    port, log = free_port(), tmp_path / "log"
    env = os.environ | {"HTTP_PROXY": NOWHERE, "ALL_PROXY": "socks5://127.0.0.1:9", "TMPDIR": str(tmp_path)}
    env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    env |= {"PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", "WEIGHTS": "no/Hündchen"}
    env.pop("GRADIO_TEMP_DIR", None)
    with open(log, "wb") as file:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env, stdout=file, stderr=file)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for _ in range(240):
            assert process.poll() is None, log.read_text(errors="replace", encoding="utf-8")
            try:
                assert b"DogVAE" in direct.open(f"http://127.0.0.1:{port}", timeout=5).read()
                break
            except OSError:
                threading.Event().wait(0.5)
        else:
            raise AssertionError("it did not answer")
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in log.read_text(errors="replace", encoding="utf-8")


def test_a_finder_that_is_damaged_is_named(tmp_path):
    shutil.copy(ROOT / "weights" / "finder" / "config.json", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    damaged = f"import app, functools; app.DogFinder = functools.partial(app.DogFinder, {str(tmp_path)!r}); app.main()"
    status, said = start("-c", damaged)
    assert status == 1 and f"{tmp_path}/model.safetensors is not a head finder" in said
