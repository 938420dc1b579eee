"""What outlasts a moment: steps back and forth, favourites in two pages and of two models."""

from tests.test_explorer import SLIDER, slide, tab, thumbs
from tests.test_page import message, picture


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
        page.click("#keep")
        for one in pages:
            thumbs(one, "#favourites", count)
    context.close()
