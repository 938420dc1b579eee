"""Fixtures for the running app: the real server in its own process, and a real Chromium."""

import atexit
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from bench.support.servers import find_browser, free_port
from model.pretrained import BREEDS, LOOKS

ROOT = Path(__file__).parents[2]
PIXELS = json.loads((ROOT / "weights/dogvae/config.json").read_text(encoding="utf-8"))["image_size"]
DESKTOP, PHONE = (1280, 900), (390, 844)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@dataclass
class Server:
    url: str
    files: Path  # where Gradio keeps uploaded files
    process: subprocess.Popen


def serve(folder: Path, port: int | None = None, command: tuple[str, ...] = ("app.py",)) -> Server:
    """Starts app.py in its own process, as `make app` does, and waits until it answers."""
    port = port or free_port()
    env = os.environ | {"PORT": str(port), "GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}
    log = open(folder / "server.log", "w", encoding="utf-8")
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
    atexit.register(process.kill)  # a test that fails before it stops its server leaves none behind
    url = f"http://127.0.0.1:{port}"
    for _ in range(1500):
        if process.poll() is not None:
            raise RuntimeError("The app stopped:\n" + (folder / "server.log").read_text())
        try:
            urllib.request.urlopen(url, timeout=5)
            return Server(url, folder, process)
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise RuntimeError("The app did not answer within five minutes.")


@contextlib.contextmanager
def serving_as(frame: str, tmp_path_factory):
    """Runs the app with a copy of the embedded weights whose config names another frame (how heads were cut out).

    frame: "eyes", or "box" as in version 0.1. Those weights had no Looks and no breeds, so "box" removes these too.
    """
    folder = shutil.copytree(ROOT / "weights" / "dogvae", tmp_path_factory.mktemp(frame) / "weights")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"frame": frame}), encoding="utf-8")
    if frame == "box":
        for file in (LOOKS, BREEDS):
            (folder / file).unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "WEIGHTS", str(folder))
        running = serve(tmp_path_factory.mktemp("gradio"))
    yield running
    running.process.terminate()
    running.process.wait(30)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = serve(tmp_path_factory.mktemp("gradio"))
    yield running
    running.process.terminate()
    running.process.wait(30)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=find_browser(), args=QUIET)
        yield launched
        launched.close()


# On a fast machine, a dog comes nearer to its photo without a click. Here window.takes (seconds) replaces the measured
# time, so tests do not depend on the machine.
TAKES = """
const { json } = Response.prototype;
Response.prototype.json = async function () {
  const answer = await json.call(this);
  return answer?.nearer === undefined ? answer : { ...answer, nearer: window.takes ?? 60 };
};
"""


def visit(
    browser, url: str, size: tuple[int, int], own: str | None = None, touch: bool = False, kind: str = "all"
) -> Page:
    """Opens the page, waits for its sliders, and shows those of this kind (with "" those that the page opens with).

    page.trouble lists console errors, and requests to other hosts.
    """
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, has_touch=touch, is_mobile=touch)
    page.add_init_script(TAKES)
    page.trouble = []
    page.on("console", lambda m: page.trouble.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    known = (own or url, "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(known) else page.trouble.append(r.url))
    page.goto(url)
    page.wait_for_selector("#latents input[type=range]", timeout=60_000)
    if kind:
        show(page, kind)
    return page


@contextlib.contextmanager
def untroubled(page):
    """Closes the page at the end, and asserts that `trouble` is empty."""
    yield page
    trouble = page.trouble
    page.close()
    assert trouble == []


def show(page, kind: str) -> None:
    """Chooses which sliders are shown: "looks", "breeds" or "all"."""
    page.evaluate(f"document.querySelector('[data-kind={kind}]').click()")


def tab(page, name: str) -> None:
    """Opens a tab of the pad."""
    page.get_by_role("tab", name=name, exact=True).click()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request, browser, server):
    opened = visit(browser, server.url, request.param)
    yield opened
    opened.close()


@pytest.fixture
def desktop(browser, server):
    opened = visit(browser, server.url, DESKTOP)
    yield opened
    opened.close()
