"""The page for all: names for screen readers, contrast, narrow screens; pictures of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.paths import DATA, ROOT

if TYPE_CHECKING:
    from tests.server.page.browser import PageBrowser

PAGE = ROOT / "resonance_engine" / "server" / "page"
LARGEST_SCRIPTS = 300_000  # bytes in all
LONGEST = 300  # lines of a module
FORBIDDEN = r"https?:|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|style="
AXE = DATA / "axe-core" / "axe.min.js"
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="needs axe-core, which the checkout alone has")
SERIOUS = ("serious", "critical")
WIDTHS = (1280, 900, 390)


def test_scripts_are_small() -> None:
    modules = {path.name: path.read_text() for path in PAGE.glob("*.js")}
    assert sum(map(len, modules.values())) <= LARGEST_SCRIPTS
    assert not [name for name, source in modules.items() if len(source.splitlines()) > LONGEST]


def test_all_modules_are_fetched_at_once() -> None:
    """Otherwise the browser learns of one from another, in as many rounds as they are deep."""
    links = re.findall(r'modulepreload" href="/static/([^"]+)"', (PAGE / "index.html").read_text())
    assert set(links) == {path.name for path in PAGE.glob("*.js")} - {"main.js", "api_page.js"}


def test_an_update_reaches_browsers_at_once(browser: PageBrowser) -> None:
    browser.start()
    kept = browser.run("fetch('/static/main.js').then(one => [one.status, one.headers.get('cache-control')])")
    assert kept == [200, "no-cache"]


def test_nothing_is_loaded_from_elsewhere_and_no_text_becomes_markup() -> None:
    for path in (*PAGE.glob("*.js"), *PAGE.glob("*.html"), *PAGE.glob("*.css")):
        source = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(FORBIDDEN, source), path


def violations(browser: PageBrowser) -> list[Any]:
    """What axe-core finds wrong, with the elements."""
    browser.run(f"{AXE.read_text()}; 1")
    found = browser.run(
        "axe.run(document, {resultTypes: ['violations']})"
        ".then(({violations}) => violations.map(({id, impact, nodes}) => "
        "({id, impact, nodes: nodes.map(one => one.html + ' ' + one.failureSummary)})))"
    )
    return [one for one in found if one["impact"] in SERIOUS]


@needs_axe
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_serious_keeps_anyone_out(browser: PageBrowser, width: int, theme: str) -> None:
    browser.start("#id=17&not_id=30&text=jazz,+slower", width=width, theme=theme)
    browser.click("#tracks .icon")
    browser.click("#tracks .play")
    browser.wait("document.querySelector('#player .title')")
    assert violations(browser) == []
    browser.run("document.getElementById('help').click(), 1")
    assert violations(browser) == []
    browser.press("Escape")
    browser.run("document.querySelector('#views [data-view=map]').click(), 1")
    browser.wait("document.documentElement.dataset.drawn")
    assert violations(browser) == []
    browser.run("document.querySelector('#views [data-view=playlist]').click(), 1")
    assert violations(browser) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(browser: PageBrowser, width: int) -> None:
    for fragment in ("", "#id=1", "#id=17&id=2&id=40&not_id=3"):
        browser.start(fragment, width=width)
        for view in ("find", "map", "playlist"):
            browser.run(f"document.querySelector('#views [data-view={view}]').click(), 1")
            assert browser.run("document.documentElement.scrollWidth") <= width
            parts = "[...document.querySelectorAll('main, header, footer, aside, #results, #controls, #items')]"
            assert browser.run(f"{parts}.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.id)") == []


def test_a_finger_has_room_for_what_it_touches(browser: PageBrowser) -> None:
    browser.start("#id=17", width=390)
    sizes = browser.run(
        "[...document.querySelectorAll('#tracks button, #views button, #player button')]"
        ".map(one => one.getBoundingClientRect()).map(({width, height}) => Math.min(width, height))"
    )
    assert min(sizes) >= 36


def test_motion_is_left_out_where_it_is_not_welcome(browser: PageBrowser) -> None:
    browser.start("#id=17")
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    browser.click("#tracks .title")
    browser.wait("location.hash !== '#id=17'")
    browser.settle()
    assert browser.run("document.getAnimations().length") == 0


def test_the_theme_is_chosen_and_kept(browser: PageBrowser) -> None:
    browser.start(theme="light")
    light = browser.run("getComputedStyle(document.body).backgroundColor")
    browser.click("#theme")
    browser.click("#theme")
    assert browser.text("#theme") == "Dark"
    assert browser.run("getComputedStyle(document.body).backgroundColor") != light
    browser.open(f"{browser.address}/")
    browser.wait("document.documentElement.dataset.theme === 'dark'")


def test_single_letters_can_be_switched_off(browser: PageBrowser) -> None:
    browser.start()
    browser.run("document.getElementById('letters').click(), 1")
    browser.press("m")
    assert browser.run("document.body.dataset.view") == "find"
    browser.run("document.getElementById('letters').click(), 1")
    browser.press("m")
    assert browser.run("document.body.dataset.view") == "map"


def test_the_api_is_described_on_a_page_of_its_own(browser: PageBrowser) -> None:
    browser.open(f"{browser.address}/static/api.html")
    browser.wait("document.querySelectorAll('section').length > 5")
    assert "/api/similar" in browser.text("main")
    assert not AXE.exists() or violations(browser) == []
    assert not browser.mistakes()


@pytest.mark.skipif("RESONANCE_PICTURES" not in os.environ, reason="writes pictures into $RESONANCE_PICTURES only")
def test_pictures_of_the_page(browser: PageBrowser) -> None:
    """From a server over music, at $RESONANCE_ADDRESS, with the track $RESONANCE_TRACK."""
    folder = Path(os.environ["RESONANCE_PICTURES"])
    address, browser.address = browser.address, os.environ.get("RESONANCE_ADDRESS", browser.address)
    seed = f"#id={os.environ.get('RESONANCE_TRACK', 17)}"
    try:
        browser.start(seed)
        browser.click("#compose")
        browser.wait("document.querySelectorAll('#items li').length > 5")
        browser.run("document.getElementById('messages').replaceChildren()")
        browser.take_picture(folder / "page.png")
        browser.click("#views [data-view=map]")
        browser.wait("document.documentElement.dataset.drawn")
        browser.take_picture(folder / "page-map.png")
        browser.start(seed, width=390, height=844, theme="dark")
        browser.take_picture(folder / "page-narrow.png")
    finally:
        browser.address = address
