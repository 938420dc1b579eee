"""What the page remembers: undo and redo, and favourites in two pages and of two models."""

from tests.support.serving import tab
from tests.test_explorer import SLIDER, slide, thumbs
from tests.test_page import draw, message, picture


def test_fifty_steps_back_and_forth(desktop):
    for i in range(55):
        slide(desktop, f"{SLIDER} >> nth={i % 12}", (i % 13) / 3 - 2)
        desktop.locator(SLIDER).nth(i % 12).dispatch_event("blur")
    end = picture(desktop)
    clicks = """(name) => {
        const button = document.querySelector(name);
        let count = 0;
        for (; !button.disabled; count++) button.click();
        return count;
    }"""
    assert desktop.evaluate(clicks, "#undo") == 50
    assert picture(desktop) != end
    assert desktop.evaluate(clicks, "#redo") == 50
    assert picture(desktop) == end


def test_favourites_of_another_model_are_kept(desktop):
    key = "dogvae:favourites:0123456789ab"
    desktop.evaluate("key => localStorage.setItem(key, JSON.stringify([{ c: [1], picture: 'x' }]))", key)
    desktop.reload()
    desktop.wait_for_selector(SLIDER)
    assert "1 of your favourites" in message(desktop) and "another model" in message(desktop)
    assert desktop.evaluate("key => localStorage.getItem(key)", key)


def test_two_pages_of_a_browser_keep_the_same_favourites(browser, server):
    context = browser.new_context()
    pages = [context.new_page() for _ in range(2)]
    for page in pages:
        page.goto(server.url)
        page.wait_for_selector(SLIDER)
        tab(page, "Kept")
    for count, page in enumerate([*pages, pages[0]], 1):
        draw(page, count)
        page.click("#keep")
        for one in pages:
            thumbs(one, "#favourites", count)
    pages[1].click("#random")
    picture(pages[1])
    draw(pages[0], 4)
    pages[0].click("#keep")
    thumbs(pages[1], "#favourites", 4)
    pages[1].click("#undo")  # undo changes the dog on this page, but not the favourites from the other
    picture(pages[1])
    for one in pages:
        thumbs(one, "#favourites", 4)
    context.close()


def test_undo_brings_back_what_the_fields_said(desktop):
    first = desktop.input_value("#seed")
    draw(desktop, 7)
    desktop.click("#undo")
    assert desktop.input_value("#seed") == first
    slide(desktop, "#temperature", 0.5)
    desktop.wait_for_function("!document.querySelector('#undo').disabled")
    picture(desktop)
    desktop.click("#undo")
    assert desktop.input_value("#temperature") == "1" and desktop.inner_text("#twelve output") == "1.00"
    tab(desktop, "Mix")
    desktop.wait_for_function("!document.querySelector('#morph').disabled")
    slide(desktop, "#morph", 0.5)
    picture(desktop)
    desktop.click("#undo")
    assert desktop.input_value("#morph") == "0" and desktop.is_enabled("#morph")
    desktop.click("#redo")
    assert desktop.input_value("#morph") == "0.5"


def test_a_seed_that_could_not_be_drawn_is_not_shown_as_this_dogs(desktop):
    seed, before = desktop.input_value("#seed"), picture(desktop)
    desktop.route("**/component_server/**", lambda route: route.abort())
    tab(desktop, "Twelve")
    desktop.fill("#seed", "9")
    desktop.press("#seed", "Enter")
    desktop.wait_for_function("document.querySelector('#message').classList.contains('problem')")
    # The request for the twelve dogs fails too, and its message may come first.
    desktop.wait_for_function("seed => document.querySelector('#seed').value === seed", arg=seed)
    assert desktop.get_attribute("#dog img", "src") == before


def test_ctrl_z_after_a_lock(desktop):
    lock = desktop.locator(".lock input").nth(1)
    lock.focus()
    desktop.keyboard.press("Space")
    assert lock.is_checked()
    desktop.keyboard.press("Control+z")
    assert not desktop.locator(".lock input").nth(1).is_checked() and message(desktop) == "Undone."


def test_a_finger_that_meant_to_scroll_leaves_no_trace(desktop):
    before = picture(desktop)
    slide(desktop, f"{SLIDER} >> nth=0", 2)
    picture(desktop)
    desktop.click("#undo")
    desktop.locator(SLIDER).nth(3).evaluate(
        """(slider) => {
            slider.dispatchEvent(new PointerEvent("pointerdown"));
            slider.value = 2.5;
            slider.dispatchEvent(new Event("input"));
            slider.dispatchEvent(new PointerEvent("pointercancel"));
        }"""
    )
    assert picture(desktop) == before and desktop.is_enabled("#redo")
    desktop.click("#redo")
    assert picture(desktop) != before and message(desktop) == "Redone."


def test_a_morph_that_plays_gives_way(desktop):
    tab(desktop, "Mix")
    desktop.wait_for_function("!document.querySelector('#morph').disabled")
    desktop.click("#play")
    desktop.click("#more summary")
    with desktop.expect_download() as download:  # saves the dog of this moment
        desktop.click("#save-latent")
    assert download.value.suggested_filename == "dog-edited.json" and desktop.inner_text("#play") == "Play"
    desktop.click("#play")
    desktop.click("#random")
    desktop.wait_for_function("document.querySelector('#message').textContent.startsWith('Seed ')")
    shown = picture(desktop)
    desktop.wait_for_timeout(300)
    assert desktop.get_attribute("#dog img", "src") == shown and desktop.inner_text("#play") == "Play"
