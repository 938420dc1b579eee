"""Each function of the pad in a real browser: at both widths, light and dark. Tests of the same kind share a page."""

import re

import av
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from tests.support.serving import DESKTOP, PHONE, PIXELS, ROOT, show, tab, untroubled, visit
from tests.test_page import distance, draw, message, move, picture
from ui.pad import PARTNER_SEED

KINDS = {
    "desktop-light": (DESKTOP, "light"),
    "phone-dark": (PHONE, "dark"),
    "desktop-dark": (DESKTOP, "dark"),
    "phone-light": (PHONE, "light"),
}
SLIDER = "#latents input[type=range]"


@pytest.fixture(scope="module", params=KINDS)
def shared(request, browser, server):
    size, theme = KINDS[request.param]
    page = visit(browser, f"{server.url}/?__theme={theme}", size, own=server.url)
    page.kind = request.param
    with untroubled(page):
        yield page


@pytest.fixture
def pad(shared):
    """The shared page, reset: seed 27, nothing locked, kept or mixed."""
    tab(shared, "Sliders")
    show(shared, "all")
    shared.fill("#filter", "")
    for button in ("#reset-mix", "#reset-favourites"):
        shared.evaluate(f"document.querySelector('{button}').click()")
    for lock in shared.locator(".lock input:checked").all():
        lock.evaluate("box => box.click()")
    slide(shared, "#seed", 27)
    shared.wait_for_function("document.querySelector('#message').textContent.includes('Seed 27:')")
    picture(shared)
    return shared


def values(page) -> list[float]:
    return [float(v) for v in page.locator(SLIDER).evaluate_all("all => all.map(one => one.value)")]


def slide(page, selector: str, value: float) -> None:
    page.locator(selector).evaluate(
        """(input, value) => {
            input.value = value;
            for (const kind of ['input', 'change']) input.dispatchEvent(new Event(kind));
        }""",
        value,
    )


def until_changed(page, before: str) -> str:
    page.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=before)
    return picture(page)


def thumbs(page, box: str, count: int):
    page.wait_for_function(f"document.querySelectorAll('{box} img').length === {count}")
    page.wait_for_function(f"!document.querySelector('{box}').hasAttribute('aria-busy')")
    return page.locator(f"{box} button:has(img)")


def click_in(page, selector: str, x: float, y: float) -> None:
    page.locator(selector).scroll_into_view_if_needed()
    page.locator(selector).evaluate(
        """(box, [x, y]) => { // where it is larger than the window that it lies in
            const { offsetWidth, offsetHeight, parentElement: around } = box;
            around.scrollTo(x * offsetWidth - around.clientWidth / 2, y * offsetHeight - around.clientHeight / 2);
        }""",
        [x, y],
    )
    box = page.locator(selector).bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_sliders_are_ordered_by_effect_and_can_be_found(pad):
    shares = [float(s.split()[0]) for s in pad.locator("#latents small").all_inner_texts()]
    assert len(shares) == 12 and shares == sorted(shares, reverse=True)
    pad.click("#next")
    name = pad.locator("#latents .name").first.evaluate("node => node.firstChild.textContent")
    pad.fill("#filter", f" {name.upper()} ")
    assert name in pad.locator("#latents .name").first.inner_text()
    pad.fill("#filter", "no such slider")
    assert pad.locator(SLIDER).count() == 0 and "No slider" in pad.inner_text(".hint")
    pad.fill("#filter", "")
    assert pad.inner_text("#page") == "1–12 of 256"


def test_a_locked_slider_keeps_its_value(pad):
    slide(pad, f"{SLIDER} >> nth=1", -2.5)
    picture(pad)
    pad.locator(".lock input").nth(1).evaluate("box => box.click()")
    before, shown = values(pad), pad.get_attribute("#dog img", "src")
    pad.click("#random")
    until_changed(pad, shown)
    after = values(pad)
    assert after[1] == before[1] == -2.5 and sum(a != b for a, b in zip(after, before)) > 8
    assert "locked" in message(pad)
    pad.click("#undo")
    pad.click("#undo")
    assert values(pad) == before and not pad.locator(".lock input").nth(1).is_checked()


def test_home_is_the_mean_dogs_value(pad):
    before = picture(pad)
    pad.locator(SLIDER).first.focus()
    pad.keyboard.press("Home")
    assert values(pad)[0] == 0
    assert until_changed(pad, before)
    pad.keyboard.press("Control+z")
    assert picture(pad) == before


def test_similar_dogs(pad):
    before = picture(pad)
    tab(pad, "Similar")
    offered = thumbs(pad, "#near", 8)
    pictures = offered.locator("img").evaluate_all("all => all.map(one => one.src)")
    assert len(set(pictures)) == 8
    offered.nth(3).click()
    after = until_changed(pad, before)
    assert 1 < distance(before, after) < 60
    round_the_new_dog = "old => document.querySelector('#near img').src !== old"
    pad.wait_for_function(round_the_new_dog, arg=pictures[0])
    tab(pad, "Sliders")
    move(pad, 0, 2.5)
    shown = pad.get_attribute("#near img >> nth=0", "src")
    tab(pad, "Similar")
    pad.wait_for_function(round_the_new_dog, arg=shown)
    pad.click("#undo")
    pad.click("#reset-similar")
    assert picture(pad) == before
    pad.click("#undo")
    assert picture(pad) == after


def test_the_plane_moves_two_directions(pad):
    before = picture(pad)
    tab(pad, "Plane")
    pad.wait_for_function("document.querySelectorAll('#plane .grid img').length === 25")
    pad.select_option("#across", "2")
    pad.select_option("#up", "4")
    start = values(pad)
    click_in(pad, "#plane", 0.75, 0.25)
    after = until_changed(pad, before)
    moved = values(pad)
    assert moved[2] == pytest.approx(1.5, abs=0.08) and moved[4] == pytest.approx(1.5, abs=0.08)
    assert [v for i, v in enumerate(moved) if i not in (2, 4)] == [v for i, v in enumerate(start) if i not in (2, 4)]
    pad.locator("#plane").focus()
    pad.keyboard.press("ArrowLeft")
    until_changed(pad, after)
    assert values(pad)[2] == pytest.approx(1.25, abs=0.08)
    pad.click("#reset-plane")
    assert picture(pad) == before and pad.input_value("#across") == "0"


def test_the_map_goes_anywhere(pad):
    before = picture(pad)
    tab(pad, "Map")
    pad.wait_for_function("document.querySelector('#map img').naturalWidth > 600", timeout=60_000)
    click_in(pad, "#map", 0.2, 0.5)
    light = until_changed(pad, before)
    click_in(pad, "#map", 0.9, 0.9)
    other = until_changed(pad, light)
    assert distance(light, other) > 2
    point = pad.locator("#map .point")
    assert point.evaluate("e => parseFloat(e.style.left)") > 80
    pad.click("#undo")
    assert picture(pad) == light and point.evaluate("e => parseFloat(e.style.left)") < 30
    pad.click("#redo")
    assert distance(picture(pad), other) < 2
    pad.click("#reset-map")
    assert picture(pad) == before and point.is_hidden()
    pad.locator("#map").focus()
    pad.keyboard.press("ArrowRight")
    assert until_changed(pad, before)


def fill(page, slot: str, what: str) -> None:
    """Chooses a dog for a slot of the mixer."""
    caption = f"[data-slot={slot}] figcaption"
    before = page.inner_text(caption)
    page.select_option(f"[data-slot={slot}] select", what)
    page.wait_for_function(f"before => document.querySelector('{caption}').textContent !== before", arg=before)


def slot(page, name: str) -> str:
    return page.get_attribute(f"[data-slot={name}] img", "src")


def test_a_photo_fills_a_slot(pad, tmp_path):
    tab(pad, "Mix")
    pad.wait_for_function("!document.querySelector('#morph').disabled")
    with pad.expect_file_chooser() as chooser:
        pad.select_option("[data-slot=b] select", "photo")
    fill(pad, "a", "random")  # this happens while the file chooser is open
    before = slot(pad, "b")
    chooser.value.set_files(ROOT / "assets" / "dog-3.png")
    pad.wait_for_function("document.querySelector('[data-slot=b] figcaption').textContent === 'your photo'")
    assert slot(pad, "b") != before
    (tmp_path / "empty.png").write_bytes(b"")
    with pad.expect_file_chooser() as chooser:
        pad.select_option("[data-slot=a] select", "photo")
    chooser.value.set_files(tmp_path / "empty.png")
    pad.wait_for_function("document.querySelector('#message').textContent.startsWith('The file is empty')")


def test_morph_leads_from_a_to_b(pad, tmp_path):
    before = picture(pad)
    tab(pad, "Mix")
    pad.wait_for_function("!document.querySelector('#morph').disabled")
    pad.fill("#slot-seed", "5")
    fill(pad, "b", "seed")
    assert slot(pad, "a") == before
    slide(pad, "#morph", 0.5)
    middle = until_changed(pad, before)
    slide(pad, "#morph", 1)
    end = until_changed(pad, middle)
    assert distance(end, slot(pad, "b")) < 1.5 < distance(middle, slot(pad, "b"))
    pad.click("#play")
    until_played = "old => document.querySelector('#dog img').src !== old"
    pad.wait_for_function(until_played, arg=end)
    assert pad.inner_text("#play") == "Stop"
    pad.click("#play")
    picture(pad)
    if pad.kind == "desktop-light":
        films = {}
        for kind in ("gif", "mp4"):
            with pad.expect_download(timeout=240_000) as download:
                pad.click(f"#{kind}")
            films[kind] = tmp_path / f"dogs.{kind}"
            download.value.save_as(films[kind])
        assert (Image.open(films["gif"]).n_frames, Image.open(films["gif"]).size) == (70, (512, 512))
        with av.open(films["mp4"]) as film:
            assert [(frame.width, frame.height) for frame in film.decode(video=0)] == [(512, 512)] * 70
    pad.click("#reset-mix")
    assert picture(pad) == before and pad.is_disabled("#morph")


def test_likeness(pad):
    before = picture(pad)
    tab(pad, "Mix")
    pad.wait_for_function("!document.querySelector('#like').disabled")
    pad.wait_for_function("document.querySelector('[data-slot=c] img').naturalWidth > 0")  # C shows a dog by default
    slide(pad, "#like", 1)
    like_b = until_changed(pad, before)
    assert distance(like_b, slot(pad, "b")) < distance(before, slot(pad, "b"))
    pad.fill("#slot-seed", f"{PARTNER_SEED}")  # C and B are then the same dog, so the difference is zero
    fill(pad, "c", "seed")
    slide(pad, "#like", 0.9)
    assert distance(until_changed(pad, like_b), before) < 1.5
    slide(pad, "#morph", 0.5)
    assert pad.input_value("#like") == "0", "the dog is on the way from A to B now"


def test_favourites_stay_in_the_browser(pad, tmp_path):
    before = picture(pad)
    tab(pad, "Kept")
    pad.click("#keep")
    thumbs(pad, "#favourites", 1)
    draw(pad, 28)
    pad.click("#keep")
    thumbs(pad, "#favourites", 2)
    pad.reload()
    pad.wait_for_selector(SLIDER)
    draw(pad, 29)
    tab(pad, "Kept")
    shown = picture(pad)
    thumbs(pad, "#favourites", 2).first.click()
    assert distance(until_changed(pad, shown), before) < 1.5
    with pad.expect_download() as download:
        pad.click("#sheet")
    download.value.save_as(tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").size == (2 * PIXELS, PIXELS)
    pad.locator("#favourites .remove").first.click()
    thumbs(pad, "#favourites", 1)
    pad.click("#undo")
    thumbs(pad, "#favourites", 2)
    pad.click("#reset-favourites")
    pad.wait_for_selector("#no-favourites:visible")


def link(page) -> str:
    page.click("#link")
    page.wait_for_function("document.querySelector('#message').textContent.includes('The link to this dog')")
    return page.evaluate("location.href")


def test_a_link_brings_the_very_dog_to_another_computer(pad, browser, server):
    drawn, drawn_link = picture(pad), link(pad)
    move(pad, 3, -2.5)
    edited, edited_link = picture(pad), link(pad)
    assert drawn_link.endswith(".s27t1") and re.search(r"[?&]dog=\w{12}\.z[\w-]{683}$", edited_link)
    other = visit(browser, drawn_link, DESKTOP, own=server.url)
    other.wait_for_function("document.querySelector('#message')?.textContent.includes('draw it again')")
    assert picture(other) == drawn
    other.goto(edited_link)
    other.wait_for_function("document.querySelector('#message')?.textContent === 'The dog of the link.'")
    assert distance(picture(other), edited) < 1.5
    foreign = re.sub("dog=.{12}", "dog=0123456789ab", drawn_link)
    cut = {edited_link[:-n]: "broken" for n in (2, 9)}  # cutting 2 leaves a length that base64 never has
    for broken, sentence in (cut | {foreign: "another model"}).items():
        other.goto(broken)
        other.wait_for_function(f"document.querySelector('#message')?.textContent.includes('{sentence}')")
        assert other.locator("#message.problem").count() == 1
        assert distance(picture(other), edited) < 1.5, "the dog that was there is lost"
    other.goto(f"{server.url}/#{re.search(r'dog=[.0-9a-z]+', drawn_link)[0]}")  # links of version 0.1 look like this
    other.wait_for_function("document.querySelector('#message')?.textContent.includes('Seed 27:')")
    assert other.trouble == []


def test_axe_finds_nothing(pad):
    """Checks the whole page, including Gradio's parts."""
    axe, found = Axe(), {}

    def look(name: str) -> None:
        pad.wait_for_timeout(300)
        assert pad.evaluate("document.documentElement.scrollWidth") <= pad.viewport_size["width"], name
        for problem in axe.run(pad).response["violations"]:
            found[f"{name}: {problem['id']}"] = [node["html"][:120] for node in problem["nodes"]]

    for name in ("Sliders", "Photo", "Twelve", "Similar", "Family", "Mix", "Map", "Plane", "Kept"):
        tab(pad, name)
        look(name)
    tab(pad, "Sliders")
    for kind in ("breeds", "looks"):
        show(pad, kind)
        pad.wait_for_selector(".breeds img" if kind == "breeds" else "#latents .look")
        look(kind)
    pad.click("#more summary")
    look("More")
    pad.keyboard.press("Escape")
    pad.set_viewport_size({"width": 320, "height": 640})
    look("at 320 px")
    pad.set_viewport_size(dict(zip(("width", "height"), KINDS[pad.kind][0])))
    pad.get_by_role("tab", name="How it works").and_(pad.locator(":visible")).first.click()
    pad.wait_for_selector("#squeeze input:enabled", timeout=120_000)
    look("How it works")
    pad.get_by_role("tab", name="Draw a dog").and_(pad.locator(":visible")).first.click()
    assert found == {}
