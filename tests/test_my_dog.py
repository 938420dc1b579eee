"""A visitor's own dog: its eyes and nose, bringing it nearer to the photo, comparing the two, and putting the dog back
into the photo. In a real browser, by mouse and touch, with weights whose heads were framed by the eyes."""

import base64
import io
import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops, ImageStat

from model import Crop, DogFinder
from tests.support.serving import DESKTOP, PHONE, PIXELS, serving_as, tab, visit
from tests.test_photo import DONE, SIZE, drag, middle, scene

SEEN = "document.querySelector('#dog img').src"
SWIPE = "Input.dispatchTouchEvent"


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    with serving_as("eyes", tmp_path_factory) as running:
        yield running


@pytest.fixture
def desktop_pad(browser, eyes):
    page = visit(browser, eyes.url, DESKTOP)
    yield page
    page.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def pad(request, browser, eyes):
    """The page. `asked` lists its requests to come nearer to the photo."""
    page = visit(browser, eyes.url, request.param, touch=request.param == PHONE)
    page.asked = []

    def note(sent):
        body = (sent.post_data_buffer or b"") if "component_server" in sent.url else b""
        if body.startswith(b"{") and json.loads(body)["fn_name"] == "nearer":
            page.asked.append(json.loads(body)["data"])

    page.on("request", note)
    yield page
    page.close()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "one.png"
    scene((4, 60, 40, 300)).save(path)
    return path


def send(page, path, name: str = "Photo") -> None:
    """Uploads a photo, then opens a tab."""
    page.evaluate("document.querySelector('#message').textContent = ''")
    page.set_input_files("#upload input[type=file]", path)
    page.wait_for_function(DONE, timeout=120_000)
    tab(page, name)


def unlike(a: Image.Image, b: Image.Image) -> float:
    a, b = (picture.convert("RGB").resize((64, 64)) for picture in (a, b))
    return max(ImageStat.Stat(ImageChops.difference(a, b)).mean)


def picture_of(page, script: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(page.evaluate(script).partition(",")[2])))


def places(page) -> dict[str, float]:
    return {name: page.locator(name).bounding_box()["y"] for name in ("#dog", "#undo", "#latents input >> nth=0")}


def dots(page) -> list[tuple[float, float]]:
    frame = page.locator("#photo .frame").bounding_box()
    at = [middle(page, f"#photo .dot >> nth={i}") for i in range(3)]
    return [((x - frame["x"]) / frame["width"], (y - frame["y"]) / frame["height"]) for x, y in at]


def test_the_crop_folds_away_and_nothing_moves(pad, photo, tmp_path):
    tab(pad, "Sliders")  # on a phone, this scrolls up to the dog
    before = places(pad)
    send(pad, photo, "Sliders")
    assert places(pad) == pytest.approx(before, abs=25), "but for a third line of the message"
    tab(pad, "Photo")
    pad.locator("#photo summary").wait_for()
    assert pad.locator("#photo img").is_hidden()
    assert pad.evaluate("document.documentElement.scrollWidth") <= pad.viewport_size["width"]
    pad.click("#photo summary")
    assert pad.locator("#photo img").is_visible() and pad.locator("#photo .dot:visible").count() == 3
    found = {problem["id"]: problem["nodes"] for problem in Axe().run(pad).response["violations"]}
    assert found == {}
    scene().save(tmp_path / "none.png")
    send(pad, photo)
    assert pad.locator("#photo img").is_hidden()
    send(pad, tmp_path / "none.png")
    assert pad.locator("#photo img").is_visible() and pad.locator("#use-box").is_visible()
    assert pad.locator("#sees").is_hidden(), "that was seen in another picture"
    assert pad.locator("#photo .dot:visible").count() == 0 and pad.locator("#photo .dots").is_hidden()
    assert pad.trouble == []


def test_eyes_and_nose_are_set_by_mouse_touch_and_keys(pad, photo):
    send(pad, photo)
    pad.click("#photo summary")
    assert pad.locator("#found").is_hidden()
    pad.locator("#photo .dot").nth(2).scroll_into_view_if_needed()
    found, crop = dots(pad), pad.get_attribute("[data-part=crop]", "src")
    assert found[0][0] < found[1][0] and found[2][1] > max(found[0][1], found[1][1])
    changed = f"document.querySelector('[data-part=crop]').src !== {crop!r} && {DONE}"
    if pad.viewport_size["width"] == DESKTOP[0]:
        drag(pad, "#photo .dot >> nth=0", -6, 12)
    else:
        session, (x, y) = pad.context.new_cdp_session(pad), middle(pad, "#photo .dot >> nth=0")
        session.send(SWIPE, {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for step in (0.5, 1):
            session.send(SWIPE, {"type": "touchMove", "touchPoints": [{"x": x - 6 * step, "y": y + 12 * step}]})
        session.send(SWIPE, {"type": "touchEnd", "touchPoints": []})
    pad.wait_for_function(changed, timeout=120_000)
    moved = dots(pad)
    assert moved[0][1] > found[0][1] + 0.01 and moved[1:] == [pytest.approx(at, abs=0.01) for at in found[1:]]
    in_pixels = tuple((x * SIZE[0], y * SIZE[1]) for x, y in moved)
    wanted = Crop.from_landmarks(in_pixels).cut(Image.open(photo), PIXELS)
    assert unlike(picture_of(pad, "document.querySelector('[data-part=crop]').src"), wanted) < 8
    angle = pad.evaluate("document.querySelector('#square').style.transform")
    assert float(angle.removeprefix("rotate(").removesuffix("rad)")) == pytest.approx(
        Crop.from_landmarks(in_pixels).angle, abs=0.05
    )
    crop = pad.get_attribute("[data-part=crop]", "src")
    pad.focus("#photo .dot >> nth=2")
    for _ in range(3):
        pad.keyboard.press("ArrowDown")
    pad.wait_for_function(f"document.querySelector('[data-part=crop]').src !== {crop!r} && {DONE}", timeout=120_000)
    assert dots(pad)[2][1] > moved[2][1]
    assert pad.locator("#photo img").is_visible(), "it stays open for who is at it"
    pad.click("#found")
    pad.wait_for_function("document.querySelector('#found').hidden", timeout=120_000)
    assert dots(pad) == [pytest.approx(at, abs=0.001) for at in found]
    assert pad.trouble == []


def test_a_nose_above_the_eyes_is_refused_and_goes_back(pad, photo):
    send(pad, photo)
    pad.click("#photo summary")
    pad.locator("#photo .dot").nth(0).scroll_into_view_if_needed()
    found = dots(pad)
    frame = pad.locator("#photo .frame").bounding_box()
    drag(pad, "#photo .dot >> nth=2", 0, (min(found[0][1], found[1][1]) - found[2][1]) * frame["height"] - 20)
    pad.wait_for_function("document.querySelector('#message').textContent.includes('nose')", timeout=120_000)
    assert [pytest.approx(at, abs=0.01) for at in found] == dots(pad)


def test_a_dog_comes_nearer_is_stopped_and_undone(pad, photo):
    send(pad, photo)
    assert pad.locator("#nearer").is_visible() and pad.asked == [], "it would take long: the visitor decides"
    first = pad.evaluate(SEEN)
    pad.click("#nearer")
    pad.wait_for_function(f"{SEEN} !== {first!r}", timeout=120_000)
    if pad.locator("#stop").is_visible():
        pad.click("#stop")
    assert pad.locator("#approach").is_hidden() and pad.evaluate(SEEN) != first
    assert re.fullmatch(r"(Stopped after \d+ steps?; this is|\d+ steps? nearer to).*\.", pad.inner_text("#message"))
    pad.wait_for_timeout(300)
    stopped, asked = pad.evaluate(SEEN), len(pad.asked)
    pad.wait_for_timeout(1500)
    assert pad.evaluate(SEEN) == stopped and len(pad.asked) == asked, "nobody asks for more steps"
    assert len({data["page"] for data in pad.asked}) == 1 and not any("crop" in data for data in pad.asked[1:])
    pad.click("#undo")
    assert pad.evaluate(SEEN) == first
    assert pad.trouble == []


def test_it_begins_by_itself_where_it_is_quick_and_a_slider_ends_it(pad, photo):
    pad.evaluate("window.takes = 2")
    send(pad, photo)
    pad.wait_for_function("document.querySelector('#redo').disabled && !document.querySelector('#approach').hidden")
    slider = pad.locator("#latents input").first
    slider.evaluate("e => { e.value = 2; e.dispatchEvent(new Event('input')); }")
    assert pad.locator("#approach").is_hidden()
    pad.wait_for_timeout(1500)
    asked = len(pad.asked)
    pad.wait_for_timeout(1000)
    assert len(pad.asked) == asked and float(slider.input_value()) == 2


def test_at_its_end_it_says_how_near_it_came(desktop_pad, photo):
    desktop_pad.evaluate("() => { window.takes = 2; window.requestAnimationFrame = () => 0; }")  # as on a hidden page
    send(desktop_pad, photo)
    said = desktop_pad.inner_text("#message")
    desktop_pad.wait_for_function(
        "/ steps? nearer to your photo\\.$/.test(document.querySelector('#message').textContent)",
        timeout=120_000,
    )
    assert desktop_pad.inner_text("#message").startswith(said.split(". ")[0])
    assert desktop_pad.text_content("#reconstruction p").startswith("Brought nearer to the photo: PSNR")
    assert desktop_pad.locator("#approach").is_hidden() and desktop_pad.locator("#nearer").is_hidden()


def test_the_photo_is_compared_with_the_dog_as_it_is(pad, photo):
    assert pad.locator("#compare").is_hidden()
    send(pad, photo)
    crop = pad.get_attribute("[data-part=crop]", "src")
    x, y = middle(pad, "#dog img")
    shown = pad.locator("#compared")
    if pad.viewport_size["width"] == DESKTOP[0]:
        pad.mouse.move(x, y)
        pad.mouse.down()
    else:
        session = pad.context.new_cdp_session(pad)
        session.send(SWIPE, {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    shown.wait_for(state="visible")
    assert shown.get_attribute("src") == crop
    place, dog = shown.bounding_box(), pad.locator("#dog img").bounding_box()
    assert list(place.values()) == pytest.approx(list(dog.values()), abs=1)
    if pad.viewport_size["width"] == DESKTOP[0]:
        pad.mouse.up()
    else:
        session.send(SWIPE, {"type": "touchEnd", "touchPoints": []})
    shown.wait_for(state="hidden")
    pad.locator("body").press("c", delay=0)
    assert shown.is_hidden()
    pad.keyboard.down("c")
    assert shown.is_visible()
    pad.keyboard.up("c")
    pad.click("#compare")
    assert shown.is_visible() and pad.get_attribute("#compare", "aria-pressed") == "true"
    pad.click("#random")
    pad.wait_for_function("document.querySelector('#compare').hidden", timeout=120_000)
    assert shown.is_hidden()


def test_the_dog_is_put_back_into_the_photo_and_follows_the_sliders(pad, photo):
    send(pad, photo)
    canvas = "document.querySelector('#back [data-part=back]')"
    pad.wait_for_function(f"{canvas}.width === {SIZE[0]}")
    pad.wait_for_timeout(500)
    back = picture_of(pad, f"{canvas}.toDataURL()")
    assert back.size == SIZE
    expected = DogFinder().frame(Image.open(photo).convert("RGB")).paste(Image.open(photo), picture_of(pad, SEEN))
    assert unlike(back, expected) < 3
    corner = (0, 500, 60, 600)
    assert unlike(back.crop(corner), Image.open(photo).crop(corner)) < 1
    pad.locator("#latents input").first.evaluate("e => { e.value = 3; e.dispatchEvent(new Event('input')); }")
    old = pad.evaluate(f"{canvas}.toDataURL()")
    pad.wait_for_function(f"{canvas}.toDataURL() !== {json.dumps(old)}", timeout=60_000)
    with pad.expect_download() as download:
        pad.click("#save-back")
    assert download.value.suggested_filename == "my-dog.jpg"
    assert Image.open(download.value.path()).size == SIZE
    assert pad.trouble == []
