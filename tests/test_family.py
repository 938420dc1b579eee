"""The wall of twelve dogs, the family, and state that belongs to one dog only. In a real browser."""

import json

from tests.support.serving import ROOT, tab
from tests.test_page import distance, draw, message, move, picture, upload

CHANGED = "before => document.querySelector('#dog img').src !== before"


def wall(page) -> list[str]:
    page.wait_for_function("document.querySelectorAll('#wall img').length === 12", timeout=60_000)
    return page.locator("#wall img").evaluate_all("all => all.map(one => one.src)")


def called(route) -> str:
    body = route.request.post_data_buffer or b""
    return json.loads(body)["fn_name"] if body.startswith(b"{") else ""


def move_far(page, slider: int) -> None:
    """Moves a slider to the other side of 0. (A seed of other weights may have any fixed value already.)"""
    value = float(page.locator("#latents input[type=range]").nth(slider).input_value())
    move(page, slider, -2 if value > 0 else 2)


def test_a_wall_to_choose_from(page):
    before = picture(page)
    tab(page, "Twelve")
    first = wall(page)
    page.click("#others-twelve")
    page.wait_for_function("first => document.querySelector('#wall img')?.src !== first", arg=first[0])
    second = wall(page)
    assert len(set(first + second)) == 24, "a dog came twice"
    page.locator("#wall .heart").nth(4).click()
    page.wait_for_selector("#wall .heart[aria-pressed=true]")
    assert picture(page) == before, "to keep a dog is not to choose it"
    page.locator("#wall button:has(img)").nth(4).click()
    page.wait_for_function(CHANGED, arg=before)
    chosen = picture(page)
    assert message(page).startswith("Seed ") and page.get_attribute("#keep", "aria-pressed") == "true"
    page.click("#keep")
    page.wait_for_selector("#wall .heart[aria-pressed=true]", state="detached")
    page.click("#undo")
    page.click("#undo")
    assert picture(page) == before
    page.click("#redo")
    assert picture(page) == chosen
    assert page.trouble == []


def test_a_wall_fills_while_the_server_is_busy(desktop):
    calls = []

    def refuse(route):
        if called(route) != "wall":
            return route.continue_()
        calls.append(json.loads(route.request.post_data_buffer)["data"]["seeds"])
        if len(calls) in (2, 3):
            return route.fulfill(json={"error": "Many visitors are drawing dogs just now.", "busy": True})
        return route.continue_()

    desktop.route("**/component_server/**", refuse)
    tab(desktop, "Twelve")
    desktop.wait_for_function("document.querySelectorAll('#wall img').length === 4")
    desktop.wait_for_selector("#message.problem")
    assert desktop.locator("#wall .empty").count() == 8
    assert len(set(wall(desktop))) == 12
    assert calls[1] == calls[2] == calls[3] and len({*calls[0], *calls[3], *calls[4]}) == 12


def test_how_odd_dogs_are(desktop):
    tab(desktop, "Twelve")
    assert [desktop.get_attribute("#temperature", end) for end in ("min", "max")] == ["0.5", "1.3"]
    usual = wall(desktop)
    for value in ("0.5", "1.3"):
        desktop.locator("#temperature").fill(value)
        desktop.wait_for_function("old => document.querySelector('#wall img')?.src !== old", arg=usual[0])
        assert len(set(wall(desktop) + usual)) == 24
    assert desktop.inner_text("#twelve output") == "1.30"


def test_a_family_and_its_tree(page):
    founder = picture(page)
    tab(page, "Family")
    page.wait_for_function("!document.querySelector('#breed').disabled")
    page.click("#breed")
    page.wait_for_function("document.querySelectorAll('#puppies img').length === 8", timeout=60_000)
    page.locator("#puppies button").nth(2).click()
    page.wait_for_function(CHANGED, arg=founder)
    child = picture(page)
    names = page.locator("#tree button")
    labels = names.evaluate_all("all => all.map(one => one.ariaLabel)")
    assert labels == ["Dog 1", "Dog 2", "Puppy 1, of Dog 1 and Dog 2"]
    page.click("#breed")
    page.wait_for_function("!document.querySelector('#puppies').hasAttribute('aria-busy')", timeout=60_000)
    page.locator("#puppies button").nth(5).click()
    page.wait_for_function(CHANGED, arg=child)
    grandchild = picture(page)
    assert names.nth(3).get_attribute("aria-label") == "Puppy 2, of Puppy 1 and Dog 2"
    assert page.locator("#tree line").count() == 4
    page.locator("#tree button").first.click()
    page.wait_for_function(CHANGED, arg=grandchild)
    assert distance(picture(page), founder) < 1.5 and names.first.get_attribute("aria-current") == "true"
    page.locator("#partner").focus()
    page.select_option("#partner", label="Puppy 2")
    assert page.evaluate("document.querySelector('#mate').src === document.querySelectorAll('#tree img')[3].src")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert page.trouble == []


def test_a_list_does_only_what_is_chosen_last(desktop):
    """A random dog that comes late replaces none chosen since, and arrow keys on a closed list choose nothing."""
    held, partner = [], "document.querySelector('#mate').src"
    desktop.click("#keep")
    for name, ready in (("Family", "#breed"), ("Mix", "#morph")):
        tab(desktop, name)
        desktop.wait_for_function(f"!document.querySelector('{ready}').disabled")
    desktop.wait_for_function("document.querySelector('[data-slot=c] img').src")  # the last of the dogs offered
    desktop.route("**/component_server/**", lambda r: held.append(r) if called(r) == "draw" else r.continue_())
    desktop.select_option("[data-slot=a] select", "random")
    desktop.select_option("[data-slot=a] select", "this")
    tab(desktop, "Family")
    first = desktop.evaluate(partner)
    desktop.focus("#partner")
    desktop.keyboard.press("ArrowDown")
    desktop.keyboard.press("Escape")
    assert len(held) == 1 and desktop.evaluate(partner) == first
    desktop.select_option("#partner", "random")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "Enter"):  # opens the list, and passes over "A random dog"
        desktop.keyboard.press(key)
    desktop.wait_for_function(f"{partner} !== {json.dumps(first)}")
    chosen = desktop.evaluate(partner)
    assert len(held) == 2
    for route in held:
        with desktop.expect_response(lambda response, route=route: response.request == route.request):
            route.continue_()
    desktop.unroute("**/component_server/**")
    draw(desktop, 3)  # its answer comes after theirs
    assert desktop.evaluate(partner) == chosen
    assert desktop.text_content("[data-slot=a] figcaption") == "this dog"


def test_what_is_no_longer_the_seeds_or_the_photos_dog(desktop):
    draw(desktop, 5)
    move(desktop, 0, 2.5)
    assert desktop.input_value("#seed") == "", "an edited dog is no seed's"
    desktop.click("#reset")
    picture(desktop)
    assert desktop.input_value("#seed") == "5"
    tab(desktop, "Similar")
    before = picture(desktop)
    desktop.locator("#near button:has(img)").first.click()
    desktop.wait_for_function(CHANGED, arg=before)
    assert desktop.input_value("#seed") == ""
    desktop.click("#undo")
    assert desktop.input_value("#seed") == "5"
    upload(desktop, ROOT / "assets" / "dog-1.png")
    tab(desktop, "Sliders")
    assert desktop.locator("#compare").is_visible()
    move(desktop, 0, 2)
    before = picture(desktop)
    assert desktop.locator("#compare").is_visible(), "the photo's dog, edited"
    tab(desktop, "Similar")
    desktop.wait_for_selector("#near img")
    desktop.locator("#near button:has(img)").first.click()
    desktop.wait_for_function(CHANGED, arg=before)
    assert desktop.locator("#compare").is_hidden() and desktop.locator("#nearer").is_hidden()
    desktop.click("#reset")
    assert desktop.locator("#compare").is_visible()


def test_a_wall_that_is_refused_leaves_no_empty_frames(desktop):
    refused = []

    def refuse(route):
        if called(route) != "wall" or len(refused) > 1:
            return route.continue_()
        refused.append(route)
        return route.continue_() if len(refused) == 1 else route.fulfill(json={"error": "This can't be drawn."})

    desktop.route("**/component_server/**", refuse)
    tab(desktop, "Twelve")
    desktop.wait_for_selector("#message.problem")
    desktop.wait_for_selector("#wall:not([aria-busy])")
    assert desktop.locator("#wall > *").count() == desktop.locator("#wall img").count() == 4
    tab(desktop, "Similar")
    tab(desktop, "Twelve")
    assert len(wall(desktop)) == 12


def test_a_dog_that_was_moved_meanwhile_is_not_replaced_by_the_last_one(desktop):
    draw(desktop, 8)
    held = []

    def hold(route):
        is_last = called(route) == "draw" and json.loads(route.request.post_data_buffer)["data"]["seed"] == 8
        held.append(route) if is_last else route.continue_()

    desktop.route("**/component_server/**", hold)
    desktop.reload()
    desktop.wait_for_selector("#sliders input")
    while not held:
        desktop.wait_for_timeout(50)
    move_far(desktop, 2)
    moved = picture(desktop)
    with desktop.expect_response(lambda response: response.request == held[0].request):
        held[0].continue_()
    desktop.wait_for_timeout(500)
    assert picture(desktop) == moved and not message(desktop).startswith("Seed 8")


def test_the_last_dog_comes_back(page):
    first = picture(page)
    draw(page, 8)
    move_far(page, 2)
    edited = picture(page)
    page.goto("about:blank")
    page.go_back()
    page.wait_for_function("document.querySelector('#message')?.textContent === 'Your last dog.'", timeout=60_000)
    assert distance(picture(page), edited) < 1.5
    page.click("#undo")
    assert picture(page) == first
    draw(page, 9)
    drawn = picture(page)
    page.click("#link")
    page.wait_for_function("location.search.includes('.s9t1')")
    move_far(page, 2)
    picture(page)
    assert "dog=" not in page.url, "the address tells a dog that is no longer there"
    page.click("#undo")
    assert picture(page) == drawn
    page.reload()
    page.wait_for_function("document.querySelector('#message')?.textContent.startsWith('Seed 9:')", timeout=60_000)
    assert picture(page) == drawn
