"""The page over a slow or interrupted network, and after a change of the server."""

import pytest

from bench.support.slow import SlowNetwork
from tests.support.serving import DESKTOP, ROOT, serve, visit
from tests.test_page import distance, draw, message, move, picture

DRAG = """
(seconds) => new Promise((done) => {
  const input = document.querySelector("#latents input[type=range]"), began = performance.now();
  const seen = new Set();
  const step = (now) => {
    const t = (now - began) / 1000;
    seen.add(document.querySelector("#dog img").src);
    input.value = t < seconds ? 3 * Math.sin(2 * Math.PI * t) : 1.75;
    input.dispatchEvent(new Event("input"));
    t < seconds ? requestAnimationFrame(step) : done(seen.size);
  };
  requestAnimationFrame(step);
})
"""


@pytest.fixture
def slow(server):
    with SlowNetwork(int(server.url.rsplit(":", 1)[1]), delay=0.075) as network:
        network.url = f"http://127.0.0.1:{network.port}"
        yield network


def at_rest(page, value: float) -> str:
    """The final picture with the first slider at this value."""
    for at in (value - 2, value):
        before = page.get_attribute("#dog img", "src")
        move(page, 0, at)
        page.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=before)
        rested = picture(page)
    return rested


def test_with_150_ms_of_round_trip_pictures_flow_and_the_last_one_is_right(browser, server, slow):
    page = visit(browser, slow.url, DESKTOP)
    assert page.evaluate(DRAG, 3) > 5, "the requests are not on the way together"
    dragged = picture(page)
    assert distance(dragged, at_rest(page, 1.75)) < 1.5
    assert page.trouble == []
    page.close()


def test_a_network_that_is_cut_in_mid_drag_loses_nothing(browser, server, slow):
    page = visit(browser, slow.url, DESKTOP)
    page.evaluate(DRAG, 1)
    slow.cut = True
    page.evaluate(DRAG, 2)  # the drag goes on while nothing passes
    page.wait_for_selector("#message:has-text('your dog is kept')", timeout=30_000)
    page.wait_for_timeout(5000)  # ten seconds of interruption in all
    stuck = page.get_attribute("#dog img", "src")
    assert float(page.input_value("#latents input[type=range] >> nth=0")) == 1.75
    slow.cut = False
    page.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=stuck, timeout=30_000)
    page.wait_for_function("document.querySelector('#message').textContent === ''", timeout=30_000)
    assert distance(picture(page), at_rest(page, 1.75)) < 1.5
    page.close()


def test_a_server_that_is_restarted_in_mid_drag_is_waited_for(browser, tmp_path):
    first = serve(tmp_path)
    page = visit(browser, first.url, DESKTOP)
    page.evaluate(f"() => {{ window.dragging = ({DRAG})(3); }}")
    page.wait_for_timeout(1000)
    first.process.kill()
    page.evaluate("window.dragging")
    page.wait_for_selector("#message:has-text('your dog is kept')", timeout=30_000)
    second = serve(tmp_path, port=int(first.url.rsplit(":", 1)[1]))
    page.wait_for_function("document.querySelector('#message').textContent === ''", timeout=60_000)
    assert distance(picture(page), at_rest(page, 1.75)) < 1.5
    page.close()
    second.process.terminate()
    second.process.wait(30)


def test_a_browser_that_is_offline_says_so_and_recovers(browser, server):
    page = visit(browser, server.url, DESKTOP)
    before = picture(page)
    page.context.set_offline(True)
    move(page, 0, -2.5)
    page.wait_for_function("document.querySelector('#message').textContent.includes('your dog is kept')")
    page.get_by_role("tab", name="Similar", exact=True).click()
    page.click("#random")
    page.wait_for_function("document.querySelector('#message').classList.contains('problem')")
    assert page.get_attribute("#dog img", "src") == before
    page.context.set_offline(False)
    page.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=before, timeout=30_000)
    page.close()


def test_a_model_that_is_swapped_under_an_old_page(browser, tmp_path, monkeypatch):
    first = serve(tmp_path)
    page = visit(browser, first.url, DESKTOP)
    draw(page, 28)
    before = picture(page)
    first.process.terminate()
    first.process.wait(30)
    monkeypatch.setenv("WEIGHTS", str(ROOT / "weights" / "classic"))
    second = serve(tmp_path, port=int(first.url.rsplit(":", 1)[1]))
    hold = """slider => slider.dispatchEvent(new PointerEvent('pointerdown'))"""  # in a drag, each move is refused
    page.locator("#latents input[type=range]").first.evaluate(hold)
    photo = ROOT / "assets" / "dog-3.png"
    acts = lambda: page.click("#random"), lambda: page.set_input_files("#upload input[type=file]", photo)
    for act in (*[lambda: move(page, 0, 2.5)] * 3, *acts):
        page.evaluate("document.querySelector('#message').textContent = ''")
        act()
        page.wait_for_function("document.querySelector('#message').textContent.includes('reload the page')")
        assert page.get_attribute("#dog img", "src") == before, "the visitor's dog was lost"
    page.reload()
    page.wait_for_selector("#latents input[type=range]")
    old = picture(page)
    move(page, 0, 2.5)
    assert picture(page) != old and message(page) == ""
    page.close()
    second.process.terminate()
    second.process.wait(30)
