"""On a phone: from opening the page to the edited dog of a visitor's photo. Dog and buttons stay in sight."""

import io

import pytest
from PIL import Image

from tests.support.serving import PHONE, tab, visit
from tests.test_page import picture
from tests.test_photo import DONE, OLD_TAP, scene

TOUCH_PX = 44


@pytest.fixture
def phone(browser, server):
    page = visit(browser, server.url, PHONE, touch=True)
    page.taps = 0
    yield page
    assert page.trouble == []
    page.close()


def tap(page, selector: str, x: float = 0.5) -> None:
    """Taps an element, which must be in sight and uncovered. x: the place across it, 0 to 1."""
    part = page.locator(selector)
    if not page.evaluate(UNCOVERED, [selector, x]):
        part.evaluate("part => part.scrollIntoView({ block: 'end' })")  # within the panel, so the dog stays visible
    assert page.evaluate(UNCOVERED, [selector, x]), f"{selector} is not in sight"
    in_sight(page)
    box = part.bounding_box()
    page.touchscreen.tap(box["x"] + x * box["width"], box["y"] + box["height"] / 2)
    page.taps += 1


UNCOVERED = """([selector, x]) => {
    const [name, nth] = selector.split(" >> nth="), part = document.querySelectorAll(name)[nth ?? 0];
    const { left, top, width, height } = part.getBoundingClientRect();
    const there = document.elementFromPoint(left + x * width, top + height / 2);
    return part === there || part.contains(there);
}"""


def in_sight(page) -> None:
    for selector in ("#dog img", "#undo", "#redo", "#keep", "#save-png", "#link"):
        box = page.locator(selector).bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= PHONE[1], selector


def test_own_photo_two_sliders_saved(phone, tmp_path):
    scene((4, 60, 40, 300)).save(tmp_path / "mine.jpg")
    in_sight(phone)
    first = picture(phone)
    with phone.expect_file_chooser() as chooser:
        tap(phone, "#upload")
    phone.taps += 1  # a tap on the photo in the phone's own picker
    chooser.value.set_files(tmp_path / "mine.jpg")
    phone.wait_for_function(DONE, timeout=120_000)
    phone.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=first)
    seen = [first, picture(phone)]
    for slider in range(2):
        tap(phone, f"#sliders input[type=range] >> nth={slider}", 0.9)
        phone.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=seen[-1])
        seen.append(picture(phone))
    with phone.expect_download(timeout=60_000) as download:
        tap(phone, "#save-png")
    saved = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert saved.size == (512, 512) and len(set(seen)) == 4
    assert phone.taps <= 8
    in_sight(phone)


def test_a_tab_that_is_tapped_comes_into_sight(phone):
    for name, panel in {"Twelve": "#wall", "Family": "#breed", "Kept": "#no-favourites", "Sliders": "#latents"}.items():
        tab(phone, name)
        phone.wait_for_timeout(300)
        box, stage = phone.locator(panel).bounding_box(), phone.locator(".stage").bounding_box()
        assert stage["y"] >= 0 and stage["y"] + stage["height"] < box["y"] < PHONE[1] - 100, name
        in_sight(phone)


def test_the_map_is_large_enough_for_a_finger(phone):
    tab(phone, "Photo")
    for example in phone.locator(".examples button").all():
        assert min(example.bounding_box()["width"], example.bounding_box()["height"]) >= TOUCH_PX
    tab(phone, "Map")
    phone.wait_for_function("document.querySelector('#map img').naturalWidth > 600", timeout=120_000)
    assert phone.locator("#map").bounding_box()["width"] / 12 >= TOUCH_PX
    before, window = picture(phone), phone.locator(".window").bounding_box()
    session = phone.context.new_cdp_session(phone)
    x, y = window["x"] + window["width"] / 2, window["y"] + window["height"] / 2

    def touch(kind: str, *at: tuple[float, float]) -> None:
        points = [{"x": a, "y": b} for a, b in at]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        phone.wait_for_timeout(20)

    def swipe(right: float, down: float) -> None:
        touch("touchStart", (x, y))
        for step in range(1, 11):
            touch("touchMove", (x + right * step / 10, y + down * step / 10))
        touch("touchEnd")

    swipe(-120, 0)
    assert phone.evaluate("document.querySelector('.window').scrollLeft") > 60
    assert phone.locator("#map .point").is_hidden() and picture(phone) == before, "to move the map chooses no dog"
    phone.touchscreen.tap(x, y)
    phone.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=before)
    point = phone.locator("#map .point").bounding_box()
    assert abs(point["x"] + point["width"] / 2 - x) < 3 and abs(point["y"] + point["height"] / 2 - y) < 3
    phone.click("#undo")
    assert picture(phone) == before
    phone.evaluate(OLD_TAP, ["#map", x, y])
    here = picture(phone)
    assert here != before and phone.locator("#map .point").bounding_box() == pytest.approx(point, abs=3)
    swipe(40, 20)
    phone.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=here)
    assert phone.locator("#map .point").bounding_box()["x"] > point["x"] + 30


def test_what_has_the_focus_is_not_under_the_dog(phone):
    phone.locator("#latents input[type=range]").nth(8).focus()
    for _ in range(12):
        phone.keyboard.press("Shift+Tab")
        assert phone.evaluate(
            """() => {
                const { left, top, width, height } = document.activeElement.getBoundingClientRect();
                const there = document.elementFromPoint(left + width / 2, top + height / 2);
                return (document.activeElement.closest("label") ?? document.activeElement).contains(there);
            }"""
        ), phone.evaluate("document.activeElement.outerHTML")
