"""A visitor's photo on the page: its head is found, or boxed by hand. In a real browser."""

import base64
import io

import pytest
from PIL import Image, ImageFilter

from bench.support.servers import find_browser
from model import Crop
from tests.support.serving import PHONE, PIXELS, QUIET, ROOT, serving_as, tab, visit

DONE = "!['', 'Looking at the photo …'].includes(document.querySelector('#message').textContent)"
SIZE = (900, 600)


def scene(*dogs: tuple[int, int, int, int]) -> Image.Image:
    """A lawn with dogs that the model drew. dogs: (which, left, top, side) of each."""
    picture = Image.effect_noise(SIZE, 40).convert("RGB").filter(ImageFilter.GaussianBlur(3))
    picture = Image.blend(picture, Image.new("RGB", SIZE, (70, 120, 50)), 0.7)
    for which, left, top, side in dogs:
        dog = Image.open(ROOT / "assets" / f"dog-{which}.png").convert("RGB").resize((side, side))
        picture.paste(dog, (left, top))
    return picture


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serves weights whose heads were cut out by boxes. test_my_dog.py tests those framed by the eyes."""
    with serving_as("box", tmp_path_factory) as running:
        yield running


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    made = {
        "one": scene((5, 60, 40, 300)),
        "two": scene((5, 40, 40, 300), (1, 520, 200, 300)),
        "none": scene(),
        "sideways": scene((5, 60, 40, 300)).transpose(Image.Transpose.ROTATE_90),
    }
    for name, picture in made.items():
        picture.save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in made}


def send(page, path, opens: str = "Photo") -> None:
    """Uploads a photo. opens: the tab to open afterwards, or ""."""
    page.evaluate("document.querySelector('#message').textContent = ''")
    page.set_input_files("#upload input[type=file]", path)
    page.wait_for_function(DONE, timeout=60_000)
    if opens:
        tab(page, opens)
    page.evaluate("document.querySelector('#change-crop').open = true")


def after(page, action) -> str:
    """Does an action that changes the crop. Returns the new crop that the page shows."""
    before = page.get_attribute("[data-part=crop]", "src")
    action()
    page.wait_for_function(f"document.querySelector('[data-part=crop]').src !== {before!r} && {DONE}", timeout=60_000)
    return page.get_attribute("[data-part=crop]", "src")


def crop_of(page) -> Image.Image:
    data = page.get_attribute("[data-part=crop]", "src").partition(",")[2]
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def box_in_photo(page, of: str = "#box") -> tuple[float, ...]:
    """The box on the page, in pixels of the photo."""
    box, frame = (page.locator(s).bounding_box() for s in (of, "#photo .frame"))
    scale = SIZE[0] / frame["width"]
    x, y = (box["x"] - frame["x"]) * scale, (box["y"] - frame["y"]) * scale
    return x, y, x + box["width"] * scale, y + box["height"] * scale


def same_picture(a: Image.Image, b: Image.Image) -> bool:
    a, b = (list(p.resize((32, 32)).convert("L").tobytes()) for p in (a, b))
    return sum(abs(x - y) for x, y in zip(a, b)) / len(a) < 8


def middle(page, selector: str) -> tuple[float, float]:
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, selector: str, right: float, down: float) -> None:
    x, y = middle(page, selector)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right / 2, y + down / 2)
    page.mouse.move(x + right, y + down)
    page.mouse.up()


def test_the_head_is_outlined_and_cut_out(page, photos):
    send(page, photos["one"])
    assert page.inner_text("#message") == "The sliders now edit this dog."
    x0, y0, x1, y1 = box_in_photo(page)
    assert 60 < (x0 + x1) / 2 < 360 and 40 < (y0 + y1) / 2 < 340 and 120 < x1 - x0 < 340
    photo = Image.open(photos["one"])
    assert same_picture(crop_of(page), Crop.loose((x0, y0, x1, y1), photo.size).cut(photo, PIXELS))
    words = page.text_content("#reconstruction .numbers p")
    assert "PSNR" in words and "% " in words and "average dog" in words
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert page.trouble == []


def test_one_of_two_heads_is_chosen(desktop, photos):
    send(desktop, photos["two"])
    assert desktop.inner_text("#message").startswith('2 heads found: "Change the crop" shows the others.')
    other = desktop.locator(".heads button")
    assert other.count() == 1
    wanted = box_in_photo(desktop, ".heads button")
    first = box_in_photo(desktop)
    after(desktop, other.click)
    assert box_in_photo(desktop) == pytest.approx(wanted, abs=4)
    assert box_in_photo(desktop, ".heads button") == pytest.approx(first, abs=4), "the first can be had again"
    desktop.click("#undo")
    desktop.wait_for_function("document.querySelector('#message').textContent === 'Undone.'")
    assert box_in_photo(desktop) == pytest.approx(first, abs=4)


def test_the_box_is_moved_and_resized_by_hand(desktop, photos):
    send(desktop, photos["one"])
    photo, before = Image.open(photos["one"]), box_in_photo(desktop)
    after(desktop, lambda: drag(desktop, "#box", 60, 30))
    moved = box_in_photo(desktop)
    assert moved[0] > before[0] + 30 and moved[1] > before[1] + 15
    assert moved[2] - moved[0] == pytest.approx(before[2] - before[0], abs=4)
    assert same_picture(crop_of(desktop), Crop.loose(moved, photo.size).cut(photo, PIXELS))
    after(desktop, lambda: drag(desktop, "#box i[data-corner=se]", 40, 40))
    larger = box_in_photo(desktop)
    assert larger[:2] == pytest.approx(moved[:2], abs=4) and larger[2] > moved[2] + 20
    after(desktop, lambda: (desktop.focus("#box"), desktop.keyboard.press("ArrowLeft"), desktop.keyboard.press("-")))
    assert box_in_photo(desktop)[2] < larger[2]
    assert desktop.trouble == []


def test_weights_without_looks_have_all_256_sliders_and_nothing_else(desktop):
    assert desktop.locator("#latents input[type=range]").count() == 12 and desktop.inner_text("#page") == "1–12 of 256"
    assert desktop.locator("#kinds").is_hidden() and desktop.locator("#sees").is_hidden()


# What an older iPhone tells of a tap: its click does not know that it was a finger.
OLD_TAP = """
([selector, x, y]) => {
  for (const [kind, pointerType] of [["pointerdown", "touch"], ["pointerup", "touch"], ["click", "mouse"]]) {
    const event = new PointerEvent(kind, { pointerType, clientX: x, clientY: y, bubbles: true });
    document.querySelector(selector).dispatchEvent(event);
  }
}
"""


def test_a_finger_moves_the_box(browser, server, photos):
    context = browser.new_context(viewport={"width": PHONE[0], "height": PHONE[1]}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_selector("#latents input[type=range]", timeout=60_000)
    send(page, photos["one"])
    page.locator("#photo").scroll_into_view_if_needed()
    before, (x, y) = box_in_photo(page), middle(page, "#box")
    session = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]})

    def swipe() -> None:
        touch("touchStart", (x, y))
        for step in range(1, 6):
            touch("touchMove", (x + 12 * step, y + 4 * step))
        touch("touchEnd")

    after(page, swipe)
    assert box_in_photo(page)[0] > before[0] + 40
    frame = page.locator("#photo .frame").bounding_box()
    beside = frame["x"] + 0.85 * frame["width"], frame["y"] + 0.7 * frame["height"]
    after(page, lambda: page.evaluate(OLD_TAP, ["#photo .frame", *beside]))
    tapped = box_in_photo(page)
    assert (tapped[0] + tapped[2]) / 2 == pytest.approx(0.85 * SIZE[0], abs=6)
    page.mouse.click(frame["x"] + 5, frame["y"] + 5)
    assert box_in_photo(page) == tapped, "a mouse draws a box, its click moves none"
    context.close()


def test_a_photo_is_turned(desktop, photos):
    send(desktop, photos["sideways"])
    desktop.evaluate("for (let i = 0; i < 3; i++) document.querySelector('#turn-left').click()")  # one to the right
    shown = "document.querySelector('[data-part=photo]')"
    desktop.wait_for_function(f"{shown}.naturalWidth > {shown}.naturalHeight")
    desktop.wait_for_function(DONE, timeout=60_000)
    x0, y0, x1, y1 = box_in_photo(desktop)
    assert 60 < (x0 + x1) / 2 < 360 and 40 < (y0 + y1) / 2 < 340


def test_no_head_says_so_and_leaves_the_choice(page, photos):
    # The page opens with a lossy picture, and the lossless PNG comes later.
    page.wait_for_function("document.querySelector('#dog img').src.startsWith('data:image/png')")
    before = page.get_attribute("#dog img", "src")
    send(page, photos["none"])
    assert "no dog's head" in page.inner_text("#message")
    assert page.locator("#photo img").is_visible() and page.locator("#reconstruction").is_hidden()
    assert page.locator("#change-crop .note:visible").inner_text().startswith("Drag the box"), "there are no dots"
    for back in (lambda: page.click("#back-to-dog"), lambda: tab(page, "Sliders"), None):
        assert page.locator("#unseen").is_visible() and page.locator(".actions").get_attribute("inert") is not None
        if back:
            back()
            assert page.locator("#unseen").is_hidden() and page.locator("#message.problem").count() == 0
            assert page.get_attribute("#dog img", "src") == before, "the dog that was there is back"
            send(page, photos["none"])
    page.click("#anyway")
    page.wait_for_selector("#reconstruction:not([hidden])", timeout=60_000)
    photo = Image.open(photos["none"])
    assert same_picture(crop_of(page), photo.crop((150, 0, 750, 600)))
    send(page, photos["none"])
    box = box_in_photo(page)
    page.click("#use-box")
    page.wait_for_selector("#reconstruction:not([hidden])", timeout=60_000)
    assert same_picture(crop_of(page), Crop.loose(box, photo.size).cut(photo, PIXELS))
    assert page.trouble == []


def test_the_photo_without_a_dog_is_in_sight_wherever_the_page_was(page, photos):
    page.locator("#latents input[type=range]").last.scroll_into_view_if_needed()
    page.evaluate("window.scrollBy(0, 300)")
    send(page, photos["none"], opens="")  # the page opens the tab by itself
    photo, stage = page.locator("#photo img").bounding_box(), page.locator(".stage").bounding_box()
    assert photo["y"] >= 0 and photo["y"] + photo["height"] <= page.viewport_size["height"]
    below, beside = photo["y"] - stage["y"] - stage["height"], photo["x"] - stage["x"] - stage["width"]
    assert max(below, beside) >= -1, "behind the dog"


def test_undo_brings_back_the_photo_before_one_without_a_dog(desktop, photos):
    send(desktop, photos["one"])
    crop = desktop.get_attribute("[data-part=crop]", "src")
    send(desktop, photos["none"])
    assert desktop.locator("#reconstruction").is_hidden()
    after(desktop, lambda: desktop.click("#anyway"))
    desktop.click("#undo")
    desktop.evaluate("document.querySelector('#change-crop').open = true")
    assert desktop.locator("#reconstruction").is_visible() and desktop.locator("#box").is_visible()
    assert desktop.get_attribute("[data-part=crop]", "src") == crop


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted(desktop, photos, way):
    data = base64.b64encode(photos["one"].read_bytes()).decode()
    desktop.evaluate("document.querySelector('#message').textContent = ''")
    desktop.evaluate(
        """([data, way]) => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), carried = new DataTransfer();
            carried.items.add(new File([bytes], "dog.png", { type: "image/png" }));
            const target = document.querySelector("#dog"), how = { bubbles: true, cancelable: true };
            const event = (kind) => kind === "paste" ? new ClipboardEvent(kind, { ...how, clipboardData: carried })
                                                     : new DragEvent(kind, { ...how, dataTransfer: carried });
            for (const kind of way === "paste" ? ["paste"] : ["dragover", "drop"]) target.dispatchEvent(event(kind));
        }""",
        [data, way],
    )
    desktop.wait_for_function(DONE, timeout=60_000)
    tab(desktop, "Photo")
    desktop.wait_for_selector("#change-crop")
    assert desktop.locator("#change-crop").is_visible() and desktop.locator("#reconstruction").is_visible()


HELD = """() => {
  const { mediaDevices } = navigator, ask = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (wish) => {
    await new Promise((go) => { window.allow = go; });
    return window.given = await ask(wish);
  };
}"""
LIVE, OFF = (f"window.given?.getTracks()[0].readyState === '{state}'" for state in ("live", "ended"))


def test_a_photo_is_taken_with_the_camera_which_is_off_when_nobody_sees_it(browser, server, photos):
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    filmed = browser.browser_type.launch(executable_path=find_browser(), args=QUIET + fake)
    page = visit(filmed, server.url, (1280, 900))
    tab(page, "Photo")
    page.click("#camera")
    page.wait_for_function("document.querySelector('#webcam video').videoWidth > 0")
    page.evaluate("document.querySelector('#message').textContent = ''")
    page.click("#snap")
    page.wait_for_function(DONE, timeout=60_000)
    assert "no dog's head" in page.inner_text("#message")  # the fake camera shows a test card
    assert page.locator("#photo img").is_visible() and page.locator("#webcam").is_hidden()
    page.evaluate(HELD)
    for go in (
        lambda: tab(page, "Sliders"),
        lambda: page.get_by_role("tab", name="How it works").and_(page.locator(":visible")).first.click(),
        lambda: page.set_input_files("#upload input[type=file]", photos["one"]),
    ):
        for late in (False, True):  # the visitor allows the camera only after going elsewhere
            page.get_by_role("tab", name="Draw a dog").and_(page.locator(":visible")).first.click()
            tab(page, "Photo")
            page.evaluate("window.given = undefined")
            page.click("#camera")
            if late:
                go()
            page.evaluate("window.allow()")
            if not late:
                page.wait_for_function(LIVE)
                go()
            page.wait_for_function(OFF)
            assert page.locator("#webcam").is_hidden()
    filmed.close()


def test_a_photo_that_changes_on_the_disk_is_still_there(desktop, photos, tmp_path):
    path = tmp_path / "mine.png"
    path.write_bytes(photos["one"].read_bytes())
    send(desktop, path)
    first = crop_of(desktop)
    for change in (lambda: path.write_bytes(b"something else, and shorter"), path.unlink):
        change()
        for turn in ("#turn-left", "#turn-right"):
            desktop.evaluate("() => { document.querySelector('#message').textContent = ''; }")
            desktop.click(turn)
            desktop.wait_for_function(DONE, timeout=60_000)
            said = desktop.text_content("#message")
            assert "can't read" not in said and "does not answer" not in said
        assert same_picture(crop_of(desktop), first), "turned there and back"


def test_what_the_browser_can_not_read_is_called_that(desktop, photos):
    """Scripts get the same error for a dropped folder and for a deleted file."""
    gone = "Promise.reject(new DOMException('gone', 'NotFoundError'))"
    desktop.evaluate(f"() => {{ File.prototype.arrayBuffer = () => {gone}; }}")
    desktop.set_input_files("#upload input[type=file]", photos["one"])
    desktop.wait_for_function("document.querySelector('#message').textContent.includes(\"can't read this file\")")


def test_a_photo_that_is_cut_short_says_so(desktop, photos, tmp_path):
    path = tmp_path / "short.jpg"
    Image.open(photos["one"]).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[:-9])
    send(desktop, path)
    assert "This file is cut short" in desktop.text_content("#message")
