"""Sliders with names in a real browser, at both widths, one by touch; and the endpoints for the same."""

import re

import pytest
from gradio_client import Client
from PIL import Image

from tests.support.serving import DESKTOP, PHONE, show, untroubled, visit
from tests.test_page import distance, draw, message, picture

SLIDER = "#latents input[type=range]"


@pytest.fixture(scope="module", params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def shared(request, browser, server):
    page = visit(browser, server.url, request.param, touch=request.param == PHONE, kind="")
    page.press_on = page.tap if request.param == PHONE else page.click
    with untroubled(page):
        yield page


@pytest.fixture
def named(shared):
    """The shared page with seed 27, Looks shown, and 'keep the background' on."""
    show(shared, "looks")
    shared.wait_for_selector("#latents .look")
    shared.locator("#keep-background input").set_checked(True)
    draw(shared, 27)
    return shared


def rows(page) -> list[str]:
    return [" ".join(name.split()) for name in page.locator("#latents .name").all_inner_texts()]


def value(page, row: int) -> float:
    return float(page.locator(SLIDER).nth(row).input_value())


def put(page, row: int, to: float) -> str:
    """Moves a slider. Returns the final picture."""
    before = page.get_attribute("#dog img", "src")
    page.locator(SLIDER).nth(row).evaluate("(e, to) => { e.value = to; e.dispatchEvent(new Event('input')); }", to)
    page.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=before)
    return picture(page)


def test_a_look_has_words_at_both_ends_and_leads_there_and_back(named):
    looks = rows(named)
    assert 8 <= len(looks) <= 16 and "background dark" in looks
    assert all(named.locator("#latents .high").all_inner_texts())
    before, row = picture(named), looks.index("background dark")
    others = [value(named, k) for k in range(len(looks)) if k != row]
    light = put(named, row, 3 if value(named, row) < 1 else -3)
    assert distance(before, light) > 5
    after = [value(named, k) for k in range(len(looks)) if k != row]
    assert max(abs(a - b) for a, b in zip(after, others)) < 1.5, "the other sliders stay about where they are"
    said = named.locator(SLIDER).nth(row).get_attribute("aria-valuetext")
    assert re.fullmatch(r"\d\.\d toward (dark|light)", said)
    named.press_on("#undo")
    assert picture(named) == before
    put(named, row, 2.5)
    named.locator("#latents .slider button").nth(row).click()
    assert picture(named) == before


def test_the_background_is_kept_unless_one_does_not_want_it(named):
    row = rows(named).index("coat dark")
    kept = put(named, row, 2.5)
    named.press_on("#undo")
    picture(named)
    named.locator("#keep-background input").set_checked(False)
    assert put(named, row, 2.5) != kept


def test_a_slider_reaches_as_far_as_the_dog_stands_out(named):
    show(named, "all")
    named.wait_for_selector("#latents .lock")
    slider = named.locator(SLIDER).first
    slider.evaluate("e => { e.max = 5; e.value = 4.5; e.dispatchEvent(new Event('input')); }")
    picture(named)
    assert value(named, 0) == 4.5 and slider.get_attribute("max") == "5"
    show(named, "looks")
    show(named, "all")
    named.wait_for_selector("#latents .lock")
    assert value(named, 0) == 4.5 and slider.get_attribute("max") == "5", "the thumb is where the dog is"
    assert named.locator("#latents output").first.inner_text() == "4.50"
    draw(named, 27)
    assert slider.get_attribute("max") == "3"


def test_a_breed_is_found_and_the_dog_moved_toward_it(named):
    before = picture(named)
    named.press_on("[data-kind=breeds]")
    named.wait_for_selector(".breeds button")
    assert named.locator(".breeds button").count() == 118 and named.locator(SLIDER).count() == 0
    named.fill("#breed-search", "husky")
    assert named.locator(".breeds button:visible").all_inner_texts() == ["Siberian husky"]
    example = named.locator(".breeds button:visible img")
    named.wait_for_function("e => e.complete && e.naturalWidth > 0", arg=example.element_handle())
    named.press_on(".breeds button:visible")
    named.wait_for_selector(SLIDER)
    assert rows(named) == ["Siberian husky less"]
    assert distance(before, put(named, 0, 3)) > 3
    named.press_on("#undo")
    assert picture(named) == before
    named.fill("#breed-search", "dachshund")
    assert named.locator(".breeds button:visible").count() == 0
    assert "There are 118, such as beagle" in named.inner_text("#breeds .note")
    named.fill("#breed-search", "")
    assert named.inner_text("#breeds .note") == "" and named.locator(".breeds button:visible").count() == 118


def test_under_the_dog_stands_what_breeds_are_seen_in_it(named):
    settled = "/^Lite0 sees \\d+ % [^,]+(, \\d+ % [^,]+)*$/.test(document.querySelector('#sees').textContent)"
    rested = f"{settled} && !document.querySelector('#sees').hasAttribute('aria-busy')"
    named.wait_for_function(rested)
    first = named.inner_text("#sees")
    asked = []
    named.on("request", lambda request: asked.append(request.post_data or ""))
    slider = named.locator(SLIDER).first
    for k in range(20):
        slider.evaluate("(e, to) => { e.value = to; e.dispatchEvent(new Event('input')); }", -3 + 0.3 * k)
        assert named.locator("#sees[aria-busy]").count() == 1
    picture(named)
    named.wait_for_function(rested)
    assert sum("see_breeds" in data for data in asked) <= 2, "a drag asks for nothing, its end once"
    moved = named.inner_text("#sees")
    draw(named, 28)
    assert named.inner_text("#sees") != moved, "that was seen in another dog"
    named.wait_for_function(f"{rested} && document.querySelector('#sees').textContent !== {first!r}")


BUSY = {"error": "Many visitors are drawing dogs just now.", "busy": True}


def refuse(page, *words: str) -> None:
    """From now on the server is too busy for requests with any of these words."""

    def answer(route):
        sent = route.request.post_data or ""
        route.fulfill(json=BUSY) if any(word in sent for word in words) else route.continue_()

    page.route("**/component_server/**", answer)


def test_a_busy_server_leaves_no_breed_of_another_dog(named):
    named.wait_for_function("document.querySelector('#sees').textContent.startsWith('Lite0')")
    named.press_on("[data-kind=breeds]")
    refuse(named, "see_breeds", "toward")
    draw(named, 29)
    named.wait_for_function("!document.querySelector('#sees').hasAttribute('aria-busy')")
    assert named.inner_text("#sees") == ""
    named.locator(".breeds button").first.click()
    named.wait_for_selector("#message.problem")
    assert named.locator(".breeds [aria-pressed=true]").count() == 0
    assert named.inner_text(".hint").startswith("Choose a breed")
    named.unroute("**/component_server/**")


def test_all_256_are_there_as_before(named):
    named.press_on("[data-kind=all]")
    named.wait_for_selector("#latents .lock")
    assert named.locator(SLIDER).count() == 12 and named.inner_text("#page") == "1–12 of 256"
    assert named.locator("#keep-background").is_hidden() and named.locator("#breeds").is_hidden()
    named.press_on("#raw")
    named.wait_for_function("document.querySelector('#latents .name').textContent.startsWith('number')")
    named.press_on("[data-kind=looks]")
    named.wait_for_selector("#latents .look")
    assert len(rows(named)) >= 8


def test_a_link_moves_its_dog_and_what_is_not_known_here_is_left_out(named, browser, server):
    named.press_on("#link")
    named.wait_for_function("document.querySelector('#message').textContent.includes('The link to this dog')")
    link, plain = named.evaluate("location.href"), picture(named)
    other = visit(browser, f"{link}&looks=background:2,tail:1&breed=beagle:1,wolf:1", DESKTOP, kind="")
    other.wait_for_function("document.querySelector('#message').textContent.includes('left out')", timeout=60_000)
    assert message(other) == "This model has no “tail”, “wolf”: left out."
    assert distance(picture(other), plain) > 2
    other.goto(re.sub("dog=.{12}", "dog=0123456789ab", f"{link}&looks=background:2"))
    other.wait_for_function("document.querySelector('#message')?.textContent.includes('“background”: left out')")
    assert message(other).startswith("The link shows a dog of another model")
    refuse(other, '"seed":5,')
    other.goto(f"{link.replace('.s27', '.s5')}&looks=background:2")
    other.wait_for_selector("#message.problem")
    assert picture(other) and message(other) == BUSY["error"]
    assert other.is_disabled("#reset"), "the dog that was there is moved in its stead"
    assert other.url.endswith("&looks=background:2"), "to be opened again"
    other.unroute("**/component_server/**")
    other.click("#random")
    other.wait_for_function("!location.search")
    other.close()


@pytest.fixture(scope="module")
def client(server, tmp_path_factory):
    return Client(server.url, verbose=False, download_files=tmp_path_factory.mktemp("api"))


def test_programs_move_a_dog_and_ask_what_is_seen(client):
    _, [latent] = client.predict(7, 1.0, 1, api_name="/sample")
    path, moved = client.predict(latent, "background", 2, api_name="/move")
    assert Image.open(path).format == "PNG" and moved["weights"] == latent["weights"] and moved["z"] != latent["z"]
    _, back = client.predict(moved, "background", -2, api_name="/move")
    assert back["z"] == pytest.approx(latent["z"], abs=1e-3)
    for _ in range(2):
        _, latent = client.predict(latent, "pug", 3, api_name="/move")
    seen = client.predict(latent, api_name="/breeds")
    assert "pug" in [one["breed"] for one in seen[:5]] and 0 < sum(one["share"] for one in seen) <= 1.01
    for toward, amount, sentence in (
        ("tail", 1, "no Look or breed 'tail'; it has Looks ("),
        ("background", 21, "a number from -20 to 20"),
        ("x" * 65, 1, "the name of a Look or of a breed"),
    ):
        with pytest.raises(Exception, match=re.escape(sentence)):
            client.predict(latent, toward, amount, api_name="/move")
