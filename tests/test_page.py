"""The page as a visitor uses it: the real server, a real browser."""

import base64
import io
import json
import re
import struct
import zlib

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.support.serving import DESKTOP, PHONE, PIXELS, ROOT, serve, tab, visit
from ui.photo import ASIDE, DOUBT

REST = "document.querySelector('#dog:not([aria-busy=true]) img')?.src.startsWith('data:image/png')"


def picture(page) -> str:
    """The dog's final picture: lossless, with no request pending."""
    page.wait_for_timeout(350)
    page.wait_for_function(REST)
    return page.get_attribute("#dog img", "src")


def move(page, slider: int, value: float) -> None:
    page.locator("#latents input[type=range]").nth(slider).evaluate(
        """(input, value) => {
            input.value = value;
            input.dispatchEvent(new Event('input', { bubbles: true }));
            input.dispatchEvent(new Event('change', { bubbles: true }));
        }""",
        value,
    )


def draw(page, seed: int) -> str:
    """Enters a seed. Its field is in the tab Twelve, which need not be open."""
    page.locator("#seed").evaluate("(e, seed) => { e.value = seed; e.dispatchEvent(new Event('change')); }", seed)
    page.wait_for_function(f"document.querySelector('#message').textContent.includes('Seed {seed}:')")
    return picture(page)


def message(page) -> str:
    return page.inner_text("#message")


def upload(page, path, to: str = "#upload") -> None:
    page.evaluate("document.querySelector('#message').textContent = ''")
    page.set_input_files(f"{to} input[type=file]", path)
    page.wait_for_function(
        "!['', 'Looking at the photo …'].includes(document.querySelector('#message').textContent)", timeout=60_000
    )


def file_of(tmp_path, name: str, image: Image.Image, **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def drawn_photo(mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (300, 200), "olive")
    image.paste(Image.open(ROOT / "assets" / "dog-5.png").convert("RGB").resize((180, 180)), (60, 10))
    return image.convert(mode)


def test_a_dog_is_there_at_once_and_nothing_is_wrong(page):
    assert page.evaluate("document.querySelector('#dog img').naturalWidth") == PIXELS
    assert page.locator("#latents input[type=range]").count() == 12
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.get_by_role("tab", name="How it works").and_(page.locator(":visible")).first.click()
    page.wait_for_selector("#squeeze input:enabled", timeout=120_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert page.trouble == []


def test_a_slider_changes_the_picture_and_back(page):
    before = picture(page)
    start = page.locator("#latents input[type=range]").first.input_value()
    move(page, 0, 2.5 if float(start) < 0 else -2.5)
    changed = picture(page)
    assert changed != before
    page.click("#undo")
    assert picture(page) == before
    move(page, 0, 2.9)
    move(page, 3, -2.9)
    assert picture(page) not in (before, changed)
    page.locator("#latents .slider button").first.click()
    page.locator("#latents .slider button").nth(3).click()
    assert picture(page) == before


def test_the_newest_of_many_moves_wins(desktop):
    for i in range(60):
        move(desktop, 0, -3 + i * 0.1)
    move(desktop, 0, 1.5)
    dragged = picture(desktop)
    move(desktop, 0, -1)
    picture(desktop)
    move(desktop, 0, 1.5)
    assert picture(desktop) == dragged


def test_on_a_phone_the_picture_stays_in_sight_while_sliders_scroll(browser, server):
    page = visit(browser, server.url, PHONE)
    last = page.locator("#latents input[type=range]").last
    last.scroll_into_view_if_needed()
    box = page.locator("#dog img").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] < last.bounding_box()["y"]
    page.close()


def test_keyboard_moves_a_slider(desktop):
    before = picture(desktop)
    slider = desktop.locator("#latents input[type=range]").first
    value = float(slider.input_value())
    slider.focus()
    for _ in range(8):
        desktop.keyboard.press("ArrowRight")
    assert float(slider.input_value()) == pytest.approx(value + 0.4, abs=0.06)
    assert picture(desktop) != before


def test_the_same_seed_draws_the_same_dog(page):
    first = draw(page, 11)
    assert draw(page, 12) != first
    assert draw(page, 11) == first


def test_random_temperature_undo_and_reset(desktop):
    first = draw(desktop, 5)
    desktop.locator("#temperature").evaluate("e => { e.value = 0.5; e.dispatchEvent(new Event('change')) }")
    desktop.wait_for_timeout(500)
    calmer = picture(desktop)
    assert calmer != first
    desktop.click("#random")
    desktop.wait_for_function("document.querySelector('#seed').value !== '5'")
    assert picture(desktop) != calmer
    desktop.click("#undo")
    assert picture(desktop) == calmer and desktop.input_value("#seed") == "5"
    for slider in range(4):
        move(desktop, slider, 2)
    edited = picture(desktop)
    assert edited != calmer
    desktop.locator("#temperature").evaluate("e => { e.value = 0.7; e.dispatchEvent(new Event('change')) }")
    assert message(desktop).startswith("That counts for the next") and picture(desktop) == edited
    desktop.click("#reset")
    assert picture(desktop) == calmer


def test_a_drag_is_one_undo_step_and_two_drags_are_two(desktop):
    before = picture(desktop)
    track = desktop.locator("#latents input[type=range]").first.bounding_box()
    middle = track["y"] + track["height"] / 2
    seen = [before]
    for stops in ((0.2, 0.4, 0.9), (0.8, 0.3, 0.1)):
        desktop.mouse.move(track["x"] + stops[0] * track["width"], middle)
        desktop.mouse.down()
        for stop in stops:
            desktop.mouse.move(track["x"] + stop * track["width"], middle, steps=4)
        desktop.mouse.up()
        seen.append(picture(desktop))
    assert len(set(seen)) == 3
    desktop.click("#undo")
    assert picture(desktop) == seen[1]
    desktop.click("#undo")
    assert picture(desktop) == before


def test_a_restarted_server_loses_nothing(browser, tmp_path):
    first = serve(tmp_path)
    page = visit(browser, first.url, DESKTOP)
    before = picture(page)
    first.process.kill()
    first.process.wait()
    move(page, 0, 2.5)
    page.wait_for_function("document.querySelector('#message').textContent.includes('your dog is kept')")
    assert page.get_attribute("#dog img", "src") == before
    second = serve(tmp_path, port=int(first.url.rsplit(":", 1)[1]))
    page.wait_for_function(f"document.querySelector('#dog img').src !== {json.dumps(before)}", timeout=30_000)
    assert picture(page) != before and message(page) == ""
    page.close()
    second.process.terminate()
    second.process.wait(30)


def test_raw_numbers_reach_all_256(desktop):
    before = picture(desktop)
    desktop.click("#raw")
    names = set()
    while True:
        names |= set(desktop.locator("#latents .name").all_inner_texts())
        if desktop.is_disabled("#next"):
            break
        desktop.click("#next")
    assert len(names) == 256
    for _ in range(30):
        if desktop.is_enabled("#previous"):
            desktop.click("#previous")
    move(desktop, 0, 3)
    assert picture(desktop) != before


def test_an_upload_is_reconstructed_and_the_sliders_edit_it(page, server):
    before = picture(page)
    kept = sorted(p for p in server.files.rglob("*") if p.is_file())
    upload(page, ROOT / "assets" / "dog-1.png")
    seen = picture(page)
    assert seen != before
    tab(page, "Photo")
    page.wait_for_selector("#reconstruction:not([hidden])")
    assert "PSNR" not in page.inner_text("#pad"), "numbers are for those who ask"
    page.click("#reconstruction .numbers summary")
    assert "PSNR" in page.inner_text("#reconstruction")
    move(page, 0, 3)
    assert picture(page) != seen
    assert sorted(p for p in server.files.rglob("*") if p.is_file()) == kept, "the photo was written to the disk"
    page.click("#undo")
    page.click("#undo")
    assert picture(page) == before


def test_example_dogs_can_be_clicked(desktop):
    before = picture(desktop)
    tab(desktop, "Photo")
    assert desktop.locator(".examples img").count() >= 4
    desktop.locator(".examples button").nth(1).click()
    desktop.wait_for_selector("#reconstruction:not([hidden])")
    assert picture(desktop) != before
    assert "Your photo" not in message(desktop) + desktop.inner_text("#photo-panel"), "it is no photo of theirs"


def test_a_latent_goes_out_and_comes_back(desktop, tmp_path):
    draw(desktop, 21)
    move(desktop, 2, -2)
    edited = picture(desktop)
    desktop.click("#more summary")
    with desktop.expect_download() as download:
        desktop.click("#save-latent")
    path = tmp_path / "dog.json"
    download.value.save_as(path)
    latent = json.loads(path.read_text())
    assert latent["format"] == 1 and len(latent["z"]) == 256 and len(latent["weights"]) == 12
    draw(desktop, 22)
    upload(desktop, path, "#load-latent")
    assert message(desktop) == "The dog of this file."
    loaded = picture(desktop)
    for choice, side in ("512", 512), ("0", PIXELS):
        desktop.locator("#size").select_option(choice, force=True)
        with desktop.expect_download() as download:
            desktop.click("#save-png")
        download.value.save_as(tmp_path / "dog.png")
        assert Image.open(tmp_path / "dog.png").size == (side, side)
    assert (tmp_path / "dog.png").read_bytes() == base64.b64decode(loaded.partition(",")[2]), "the very picture"
    assert distance(loaded, edited) < 2, "the loaded dog is another one"  # the file rounds z to five digits


def distance(a: str, b: str) -> float:
    x, y = (Image.open(io.BytesIO(base64.b64decode(src.split(",")[1]))) for src in (a, b))
    return max(ImageStat.Stat(ImageChops.difference(x, y)).mean)


def bomb() -> bytes:
    """A PNG that claims 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_files_that_are_no_photos_get_a_sentence_and_the_dog_stays(desktop, tmp_path):
    before = picture(desktop)
    for name, data in {
        "words.jpg": b"this is not a picture",
        "empty.png": b"",
        "bomb.png": bomb(),
        "large.jpg": bytes(25_500_000),
    }.items():
        (tmp_path / name).write_bytes(data)
        upload(desktop, tmp_path / name)
        assert "please choose" in message(desktop), name
        assert picture(desktop) == before, name
        assert desktop.locator("#message.problem").count() == 1, name


def test_latents_that_are_none_get_a_sentence_and_the_dog_stays(desktop, tmp_path):
    before = picture(desktop)
    for name, text in {
        "short.json": json.dumps([0.0] * 255),
        "nan.json": "[" + ",".join(["NaN"] * 256) + "]",
        "infinite.json": "[" + ",".join(["1e999"] * 256) + "]",
        "words.json": json.dumps(["dog"] * 256),
        "other.json": json.dumps({"format": 1, "weights": "0123456789ab", "z": [0.0] * 256}),
        "long.json": "[" + "0," * 5_000_000 + "0]",
        "text.json": "not json",
    }.items():
        (tmp_path / name).write_text(text)
        upload(desktop, tmp_path / name, "#load-latent")
        assert re.search("latent|dog's numbers", message(desktop)), name
        assert desktop.locator("#message.problem").count() == 1, name
        assert picture(desktop) == before, name


def test_odd_photos_work(desktop, tmp_path):
    rotated = Image.Exif()
    rotated[0x0112] = 6
    palette = drawn_photo("P")
    palette.info["transparency"] = 0
    gif = [drawn_photo("P"), Image.new("P", (300, 200))]
    whole = file_of(tmp_path, "whole.jpg", drawn_photo())
    (tmp_path / "truncated.jpg").write_bytes(whole.read_bytes()[:-300])
    for path in (
        file_of(tmp_path, "rotated.jpg", drawn_photo().transpose(Image.Transpose.ROTATE_90), exif=rotated),
        file_of(tmp_path, "cmyk.jpg", drawn_photo("CMYK")),
        file_of(tmp_path, "deep.png", drawn_photo("L").convert("I;16")),
        file_of(tmp_path, "palette.png", palette),
        file_of(tmp_path, "moving.gif", gif[0], save_all=True, append_images=gif[1:]),
    ):
        upload(desktop, path)
        # In dogs drawn in few colours, the eyes may be found with doubt or not at all.
        assert message(desktop) in ("The sliders now edit this dog.", ASIDE, DOUBT), path.name
    upload(desktop, tmp_path / "truncated.jpg")
    assert message(desktop)
