"""The tab "How it works" in a real browser, part by part, at both widths: its controls, pictures and texts."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from tests.support.serving import DESKTOP, PHONE, ROOT, untroubled, visit
from ui.lesson.code import SHOWN, with_code
from ui.scripts import WEB

KINDS = {"desktop-light": (DESKTOP, "light"), "phone-dark": (PHONE, "dark")}
PARTS = ("squeeze", "rooms", "price", "blur", "gan", "fitted")
SOON = 60_000  # ms, on a machine that is busy with other tests


def open_lesson(page) -> None:
    page.get_by_role("tab", name="How it works").and_(page.locator(":visible")).first.click()
    page.wait_for_selector("#squeeze input:enabled", timeout=SOON)


def come_to(page, part: str) -> None:
    page.locator(f"#{part}").scroll_into_view_if_needed()
    page.wait_for_function(f"!document.querySelector('#{part} [disabled], #{part} [aria-disabled]')", timeout=SOON)


@pytest.fixture(scope="module", params=KINDS)
def lesson(request, browser, server):
    size, theme = KINDS[request.param]
    page = visit(browser, f"{server.url}/?__theme={theme}", size, own=server.url)
    scripts = []
    page.on("request", lambda r: scripts.append(r.url) if "/lesson" in r.url else None)
    assert not scripts, "the lesson was loaded before its tab was opened"
    open_lesson(page)
    assert len(scripts) >= 3
    with untroubled(page):
        yield page


def slide(page, part: str, value: int) -> str:
    """Moves a part's slider. Returns the part's text afterwards."""
    page.locator(f"#{part} input").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
    )
    return page.inner_text(f"#{part} .told")


def src(page, selector: str) -> str:
    return page.locator(selector).first.get_attribute("src")


def pictures(page, selector: str, count: int) -> list[str]:
    page.wait_for_function(f"document.querySelectorAll('{selector}').length === {count}", timeout=SOON)
    page.wait_for_function(f"[...document.querySelectorAll('{selector}')].every(i => i.complete && i.naturalWidth)")
    return page.locator(selector).evaluate_all("all => all.map(one => one.src)")


def test_sliders_and_curves_are_wide_enough_for_a_finger_and_an_eye(lesson):
    for part in PARTS:
        come_to(lesson, part)
    widths = lesson.locator("#lesson input[type=range], #lesson .curves").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().width)"
    )
    assert len(widths) == 5 and min(widths) > 200, widths


def test_squeezed_through_fewer_numbers(lesson):
    seen = {}
    for step, kept in enumerate((2, 8, 32, 128, 256)):
        told = slide(lesson, "squeeze", step)
        assert told.startswith(f"48,387 : {kept}.") and lesson.inner_text("#squeeze output") == f"{kept}"
        seen[src(lesson, "#squeeze [data-part=picture]")] = float(re.search(r"([\d.]+) dB", told)[1])
    assert len(seen) == 5 and list(seen.values()) == sorted(seen.values()), "more numbers, more likeness"


def test_a_point_dragged_through_both_rooms(lesson):
    come_to(lesson, "rooms")
    for room in lesson.locator("#rooms .room").all():
        cloud, image = room.locator(".cloud"), room.locator(":scope > img")
        cloud.scroll_into_view_if_needed()
        first, box = image.get_attribute("src"), cloud.bounding_box()
        lesson.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        lesson.mouse.down()
        lesson.mouse.move(box["x"] + 3, box["y"] + 3, steps=4)
        lesson.mouse.up()
        assert re.match(r"-4\.\d across, 4\.\d up\. Beside the dogs", cloud.get_attribute("aria-valuetext"))
        least, now, most = (float(cloud.get_attribute(f"aria-value{of}")) for of in ("min", "now", "max"))
        width = cloud.locator("svg").evaluate("svg => svg.viewBox.baseVal.width")
        assert least <= now < -4 and most == -least == width / 2
        lesson.wait_for_function("([image, before]) => image.src !== before", arg=[image.element_handle(), first])
        there = image.get_attribute("src")
        cloud.press("Home")
        assert cloud.get_attribute("aria-valuetext").startswith("0.0 across, 0.0 up.")
        cloud.press("ArrowRight")
        assert cloud.get_attribute("aria-valuenow") == "0.3"  # 0.25, rounded
        lesson.wait_for_function("([image, before]) => image.src !== before", arg=[image.element_handle(), there])
        assert room.locator(".told").inner_text().startswith(("Among", "Beside"))


def test_the_same_draws_from_the_bell_curve_in_both_rooms(lesson):
    come_to(lesson, "rooms")
    lesson.evaluate("() => { Math.random = () => 0.25; }")  # other draws may fall among the dogs by chance
    lesson.click("#rooms button")
    drawn = pictures(lesson, "#rooms .drawn img", 12)
    assert len(set(drawn)) == 12
    told = lesson.inner_text("#rooms .both")
    left, right = map(int, re.search(r"Autoencoder: (\d) of 6 .* VAE: (\d) of 6", told).groups())
    assert left < right, told
    assert lesson.locator("#rooms .fresh").count() == 2
    lesson.evaluate("() => { Math.random = () => 0.5; }")
    lesson.click("#rooms button")
    lesson.wait_for_function("old => document.querySelector('#rooms .drawn img').src !== old", arg=drawn[0])


def test_what_the_price_buys_and_costs(lesson):
    come_to(lesson, "price")
    most = int(lesson.get_attribute("#price input", "max"))
    assert most >= 3
    seen, likeness = set(), []
    for step in range(most + 1):
        told = slide(lesson, "price", step)
        likeness.append(float(re.search(r"likeness ([\d.]+) dB", told)[1]))
        seen.add((src(lesson, "#price [data-part=rebuilt]"), *pictures(lesson, "#price .drawn img", 6)))
        if step == 0:
            assert told.startswith("An autoencoder")
    assert len(seen) == most + 1 and likeness[0] > likeness[-1] and told.startswith("Too dear")
    assert lesson.locator("#price .curves text").all_text_contents() == ["the first version’s", "a good price"]


def test_sharp_dogs_averaged(lesson):
    come_to(lesson, "blur")
    seen = set()
    for step, count in enumerate((1, 2, 4, 8, 16)):
        told = slide(lesson, "blur", step)
        assert ("One sharp dog" if count == 1 else f"mean of {count} sharp dogs") in told
        seen.add(src(lesson, "#blur [data-part=mean]"))
    assert len(seen) == 5


def test_a_gan_that_fell_apart(lesson):
    come_to(lesson, "gan")
    drawn = pictures(lesson, "#gan .drawn img", 16)
    assert len(set(drawn)) > 4, "it drew the same at all moments"
    assert lesson.locator("#gan .curves .line").count() == 2 and lesson.locator("#gan .curves text").count() == 4
    lesson.click("#gan button")
    lesson.wait_for_function("old => document.querySelector('#gan .drawn img').src !== old", arg=drawn[0])


def test_help_after_the_fact(lesson):
    come_to(lesson, "fitted")
    before = pictures(lesson, "#fitted .drawn img", 18)
    lesson.click("#fitted button")
    assert lesson.get_attribute("#fitted button", "aria-pressed") == "true"
    assert not set(before) & set(pictures(lesson, "#fitted .drawn img", 18))


def test_nothing_hinders_a_reader(lesson):
    for part in PARTS:
        come_to(lesson, part)
    for fold in lesson.locator("#lesson details").all():
        fold.evaluate("fold => { fold.open = true; }")
    found = Axe().run(lesson, context="#lesson").response["violations"]
    assert not found, [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found]
    assert lesson.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is wider than the window"
    for part in PARTS:
        text = lesson.locator(f"#{part} > p").first.inner_text()
        assert len(re.findall(r"[.!?](?:\s|$)", text)) <= 3, f"{part}: much to read before one can touch anything"


def test_the_visitors_picture_and_a_photo_without_a_dog(browser, server, tmp_path):
    Image.new("RGB", (400, 300), "steelblue").save(tmp_path / "sky.png")
    page = visit(browser, server.url, DESKTOP)
    for path, whose in (
        (tmp_path / "sky.png", "an example dog: no dog's head was found in your photo"),
        (ROOT / "assets" / "dog-3.png", "the picture that you chose"),
    ):
        page.set_input_files("#upload input", path)
        page.wait_for_function("!document.querySelector('#message').textContent.startsWith('Looking')")
        page.wait_for_selector("#photo:not([hidden]), #reconstruction:not([hidden])")
        open_lesson(page)
        page.wait_for_function("text => document.querySelector('#lesson .whose').textContent === text", arg=whose)
        pictures(page, "#squeeze [data-part=picture]", 1)
        page.get_by_role("tab", name="Draw a dog").and_(page.locator(":visible")).first.click()
    page.close()


def test_a_server_that_is_away_while_one_drags(lesson):
    come_to(lesson, "rooms")
    cloud, image = lesson.locator("#rooms .cloud").first, lesson.locator("#rooms .room > img").first
    cloud.press("Home")
    lesson.wait_for_timeout(500)
    last = image.get_attribute("src")
    lesson.route("**/component_server/**", lambda route: route.abort())
    cloud.press("ArrowRight")
    lesson.wait_for_function("document.querySelector('#lesson-message').textContent.includes('last picture stays')")
    assert image.get_attribute("src") == last
    lesson.unroute("**/component_server/**")
    lesson.wait_for_function("([image, last]) => image.src !== last", arg=[image.element_handle(), last], timeout=SOON)
    lesson.wait_for_function("document.querySelector('#lesson-message').textContent === ''")
    lesson.trouble[:] = [line for line in lesson.trouble if "ERR_FAILED" not in line]


def test_the_code_that_is_shown_is_ours():
    page = with_code((WEB / "lesson.html").read_text(encoding="utf-8"))
    assert "<!-- CODE" not in page and "`" not in page
    for file, function in SHOWN.values():
        assert f"<code>{file}</code>" in page and f"def {function.rpartition('.')[2]}(" in page
