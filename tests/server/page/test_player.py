"""Playing on the page, and the radio: it stays ahead and learns from skips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tests.server.page.page_library import SECONDS

if TYPE_CHECKING:
    from tests.server.page.browser import PageBrowser

SEED = "#id=17"
PLAYER = "import('/static/player.js').then(({player}) => %s)"
AHEAD = 10


def player(browser: PageBrowser, expression: str) -> Any:
    return browser.run(PLAYER % expression)


def wait_until_it_plays(browser: PageBrowser) -> None:
    browser.wait("document.getElementById('toggle').getAttribute('aria-label') === 'Pause'")
    while not player(browser, "player.audio.currentTime > 0"):
        pass


def test_a_track_plays_and_shows_where_it_is(browser: PageBrowser) -> None:
    browser.start(SEED)
    browser.click("#tracks .play")
    wait_until_it_plays(browser)
    title = browser.text("#tracks .title")
    assert browser.text("#player .title") == title
    assert browser.run("document.title").startswith(title)
    assert abs(player(browser, "player.seconds") - SECONDS) < 0.5
    assert browser.run("document.querySelector('#tracks .play').getAttribute('aria-label')").startswith("Pause ")
    player(browser, "player.seek(0.5)")
    browser.wait("document.getElementById('elapsed').textContent >= '0:04'")
    assert float(browser.run("document.querySelector('#tracks .current').style.getPropertyValue('--played')")) >= 0.45
    browser.click("#toggle")
    browser.wait("document.getElementById('toggle').getAttribute('aria-label') === 'Play'")
    assert not browser.mistakes()


def test_the_next_of_the_list_follows(browser: PageBrowser) -> None:
    browser.start(SEED)
    browser.click("#tracks .play")
    wait_until_it_plays(browser)
    player(browser, "(player.audio.currentTime = player.seconds - 0.2, 1)")
    second = browser.texts("#tracks .title")[1]
    browser.wait(f"document.querySelector('#player .title')?.textContent === {second!r}")
    browser.run("document.activeElement.blur()")
    browser.press("b")
    first = browser.text("#tracks .title")
    browser.wait(f"document.querySelector('#player .title')?.textContent === {first!r}")


def test_play_starts_the_playlist_or_else_the_matches(browser: PageBrowser) -> None:
    browser.start(SEED)
    browser.click("#toggle")
    browser.wait("document.querySelector('#player .title')")
    assert browser.text("#player .title") == browser.text("#tracks .title")
    browser.click("#tracks li:nth-child(2) .icon")
    browser.open(f"{browser.address}/", SEED)
    browser.wait("document.documentElement.dataset.ready === 'yes'")
    browser.click("#toggle")
    browser.wait("document.querySelector('#items .current')")


def test_what_plays_shows_how_far_it_is(browser: PageBrowser) -> None:
    browser.start(SEED)
    browser.wait("document.querySelector('#seeds .play')")
    browser.click("#seeds .play")
    wait_until_it_plays(browser)
    player(browser, "player.seek(0.5)")
    shown = "getComputedStyle(document.querySelector('#seeds .current'), '::after')"
    browser.wait(f"parseFloat({shown}.getPropertyValue('--played')) >= 0.45")
    assert float(browser.run(f"parseFloat({shown}.height)")) > 0


def test_the_radio_goes_on_with_the_list_that_has_the_track(browser: PageBrowser) -> None:
    browser.start(SEED)
    for place in (1, 2, 3):
        browser.click(f"#tracks li:nth-child({place}) .icon")
    browser.click("#tracks .play")
    wait_until_it_plays(browser)
    browser.click("#radio-switch")
    browser.wait(f"document.querySelectorAll('#items li').length === {1 + AHEAD}")
    titles = browser.texts("#items .title")
    assert len(set(titles)) == len(titles), "it is not put into the list again"
    assert browser.run("document.querySelector('#items li').matches('.current')")
    browser.click("#radio-switch")


def test_a_track_without_a_file_says_so(browser: PageBrowser) -> None:
    browser.start("#id=62")
    browser.wait("document.querySelector('#seeds .play')")
    browser.click("#seeds .play")
    browser.wait("document.querySelector('.message')")
    assert "cannot be played" in browser.text(".message")


def test_the_radio_stays_ten_ahead_and_keeps_away_from_what_is_skipped(browser: PageBrowser) -> None:
    browser.start(SEED)
    browser.click("#tracks .play")
    wait_until_it_plays(browser)
    browser.click("#radio-switch")
    browser.wait(f"document.querySelectorAll('#items li').length === {1 + AHEAD}")
    titles = browser.texts("#items .title")
    assert len(set(titles)) == len(titles)
    assert browser.count("#items .by-radio") == AHEAD
    browser.click("#skip")
    # The next one plays, and those after it are chosen anew, one more than before.
    browser.wait(f"document.querySelectorAll('#items li').length === {2 + AHEAD}")
    browser.wait("document.querySelectorAll('#items .current').length === 1")
    assert browser.texts("#items .title")[:2] == titles[:2]
    assert browser.run("[...document.querySelectorAll('#items li')].findIndex(one => one.matches('.current'))") == 1
    skipped = browser.run("document.querySelector('#items .play').dataset.id")
    sent = parse_qs(browser.fetched("/api/similar?")[-1])
    assert sent["not_id"] == [skipped]
    assert skipped in sent["without"]
    browser.click("#radio-switch")
    browser.click("#skip")
    browser.wait("[...document.querySelectorAll('#items li')].findIndex(one => one.matches('.current')) === 2")
    assert browser.count("#items li") == 2 + AHEAD, "a radio that is off adds nothing"
    assert not browser.mistakes()
