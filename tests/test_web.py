"""The page's scripts: calculations, types and lint rules with node, and their loading in a real browser."""

import graphlib
import gzip
import re
import shutil
import subprocess
import warnings

import httpx
import pytest

from tests.support.proxy import under
from tests.support.serving import DESKTOP, PIXELS, ROOT, serve, tab, visit
from tests.test_page import draw, message, move, picture
from ui.scripts import FIRST, MODULES, VERSION, WEB, address

TOOLS = ROOT / "tests" / "node_modules"
SLIDER = "#latents input[type=range]"


def skip(reason: str) -> None:
    warnings.warn(reason, stacklevel=2)
    pytest.skip(reason)


def node(*command: str) -> None:
    """Runs a tool of node. The test fails with the tool's findings."""
    if not shutil.which("node"):
        skip("SCRIPTS NOT TESTED: there is no node")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tools() -> str:
    """The folder with the packages of tests/package-lock.json installed."""
    lock, installed = ROOT / "tests" / "package-lock.json", TOOLS / ".package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
        if not shutil.which("npm"):
            skip("SCRIPTS NOT CHECKED: there is no npm")
        command = ["npm", "ci", "--no-audit", "--no-fund", "--prefix", "tests"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
        if done.returncode:
            skip(f"SCRIPTS NOT CHECKED: npm could not install the tools: {done.stderr[-500:]}")
    return f"{TOOLS}/.bin"


def test_calculations():
    node("node", "--test", "tests/web/")


def test_types(tools):
    node(f"{tools}/tsc", "--project", "tests/tsconfig.json")


def test_rules(tools):
    node(f"{tools}/eslint", "--config", "tests/eslint.config.mjs", "--max-warnings", "0", "ui/web", "tests/web")


def test_no_module_imports_in_a_circle_and_the_calculations_import_none():
    imports = re.compile(r'^(?:import|export)\b[^;]*?"\./([\w.]+)";', re.MULTILINE)
    graph = {path.name: imports.findall(path.read_text()) for path in WEB.glob("*.js")}
    assert sum(map(len, graph.values())) > 50, "the imports are written in another way"
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError
    assert set(order) == set(graph) and not graph["math.js"] and not graph["store.js"]


def test_a_browser_may_keep_the_modules_and_never_mixes_two_versions(server):
    with httpx.Client(base_url=server.url) as client:
        answer = client.get(f"/web/{VERSION}/main.js", headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/javascript")
        assert "immutable" in answer.headers["cache-control"] and answer.headers["content-encoding"] == "gzip"
        for gone in (f"/web/{'0' * 12}/main.js", f"/web/{VERSION}/pad.html", f"/web/{VERSION}/../scripts.py"):
            assert client.get(gone).status_code == 404 and "cache-control" not in client.get(gone).headers


@pytest.mark.parametrize("blocked", ["main.js", "live.js"])
def test_scripts_that_are_blocked(browser, server, blocked):
    page = browser.new_page()
    page.route(f"**/web/*/{blocked}", lambda route: route.abort())
    page.goto(server.url)
    page.wait_for_function("document.querySelector('#message')?.textContent.includes('could not be loaded')")
    assert page.locator("#message.problem").count() == 1
    assert page.evaluate("document.querySelector('#random').closest('[inert]') !== null")
    assert page.evaluate("document.querySelector('#dog img').naturalWidth") == PIXELS
    page.close()


def test_scripts_that_are_late(browser, server):
    page, held = browser.new_page(), []
    page.route("**/web/*/math.js", lambda route: held.append(route))
    page.goto(server.url)
    page.wait_for_function("document.querySelector('#message')?.textContent.includes('still waits for its scripts')")
    for route in held:
        route.continue_()
    page.wait_for_selector(SLIDER)
    assert message(page).startswith("Seed ") and page.locator("[inert], #message.problem").count() == 0
    before = picture(page)
    move(page, 0, 2.5)
    assert picture(page) != before
    page.close()


def test_the_lesson_says_so_too(browser, server):
    page = visit(browser, server.url, DESKTOP)
    page.route("**/web/*/lesson.js", lambda route: route.abort())
    page.get_by_role("tab", name="How it works").and_(page.locator(":visible")).first.click()
    page.wait_for_function("document.querySelector('#lesson-message')?.textContent.includes('could not be loaded')")
    page.close()


def test_under_a_sub_path_in_a_frame_of_another_site(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/some/dogs")
    server = serve(tmp_path)
    with under("/some/dogs", server.url) as port:
        page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        lost = []
        page.on("response", lambda answer: lost.append(answer.url) if answer.status >= 400 else None)
        sockets = []
        page.on("websocket", lambda opened: sockets.append(opened))
        page.goto(f"http://localhost:{port}/frame")
        frame = page.frame_locator("iframe")
        frame.locator(SLIDER).first.wait_for(timeout=60_000)
        pad = page.frames[1]
        before = picture(pad)
        move(pad, 0, 2.5)
        assert picture(pad) != before
        assert sockets and not sockets[0].is_closed(), "the moves were posted"
        draw(pad, 5)
        tab(pad, "Photo")
        pad.locator(".examples button").first.click()
        pad.wait_for_selector("#reconstruction:not([hidden])")
        pad.get_by_role("tab", name="How it works").and_(pad.locator(":visible")).first.click()
        pad.wait_for_selector("#squeeze input:enabled", timeout=60_000)
        assert [url for url in lost if "/web/" in url] == []
        page.close()
    server.process.terminate()
    server.process.wait(30)


def test_under_a_sub_path_that_the_server_was_not_told_of(browser, server):
    """The page's requests would all fail, so it says why and what to do."""
    with under("/dogs", server.url) as port:
        page = browser.new_page()
        page.goto(f"http://localhost:{port}/dogs/")
        page.wait_for_function("document.querySelector('#message.problem')", timeout=60_000)
        assert message(page).endswith("start it with GRADIO_ROOT_PATH=/dogs.")
        page.close()


def test_the_page_is_small(server):
    """Sizes of what a visitor downloads: our scripts and styles; and the document, with Gradio's settings, the pad, the
    lesson and the first dog."""

    def compressed(path: str) -> int:
        with httpx.stream("GET", f"{server.url}/{path}", headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            return sum(len(chunk) for chunk in answer.iter_raw())

    styles = b"".join(path.read_bytes() for path in sorted((ROOT / "ui" / "web").glob("*.css")))
    assert sum(compressed(address(name)) for name in MODULES) + len(gzip.compress(styles)) < 60_000
    assert compressed("") < 40_000


def test_the_first_view_names_its_modules_and_no_others(browser, server):
    """Scripts for one tab only are fetched when it opens: over slow HTTP/1.1, each further file costs time."""
    named = re.findall(r'modulepreload" href="web/\w+/(\w+\.js)"', httpx.get(server.url).text)
    page, fetched = browser.new_page(), set()
    page.on("request", lambda r: fetched.add(r.url.rsplit("/", 1)[1]) if "/web/" in r.url else None)
    page.goto(server.url)
    page.wait_for_selector(SLIDER)
    picture(page)
    assert sorted(fetched) == named == FIRST and len(FIRST) < 22 and not {"mix.js", "photo.js"} & set(FIRST)
    tab(page, "Mix")
    page.wait_for_function("!document.querySelector('#morph').disabled")
    assert "mix.js" in fetched and "plane.js" not in fetched
    page.close()


def test_a_tab_whose_scripts_do_not_come(browser, server):
    page = visit(browser, server.url, DESKTOP)
    page.route("**/web/*/wall.js", lambda route: route.abort())
    tab(page, "Twelve")
    page.wait_for_selector("#message.problem")
    page.unroute("**/web/*/wall.js")
    tab(page, "Twelve")
    page.wait_for_selector("#wall img")
    page.close()
