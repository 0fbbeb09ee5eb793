"""The playlist on the page: by mouse and by keys, exported, saved as a recipe; the token."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from tests.server.page.browser import ALT
from tests.server.page.conftest import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.page.browser import PageBrowser
    from tests.server.page.page_library import PageLibrary

TITLES = "#items .title"
SEED = "#id=17"


def add(browser: PageBrowser, count: int) -> list[str]:
    """Add the first matches, and return their titles."""
    for place in range(1, count + 1):
        browser.click(f"#tracks li:nth-child({place}) .icon")
    return browser.texts("#tracks .title")[:count]


def test_tracks_are_added_moved_and_removed_by_keys(browser: PageBrowser) -> None:
    browser.start(SEED)
    browser.focus("#tracks li:nth-child(1) .icon")
    for _ in range(3):
        browser.press("Enter")
        browser.press("ArrowDown")
    one, two, three = browser.texts("#tracks .title")[:3]
    assert browser.texts(TITLES) == [one, two, three]
    browser.focus("#items li:nth-child(3) .title")
    browser.press("ArrowUp", ALT)
    assert browser.texts(TITLES) == [one, three, two]
    assert browser.run("document.activeElement.textContent") == three, "the focus stays with the track"
    assert browser.text("#spoken") == f"{three} is number 2 of 3 now."
    browser.press("Delete")
    assert browser.texts(TITLES) == [one, two]
    assert browser.run("document.activeElement.textContent") == two, "the focus goes on at the same control"
    browser.click("#undo")
    assert browser.texts(TITLES) == [one, three, two]


def test_tracks_are_dragged_into_the_list_and_within_it(browser: PageBrowser) -> None:
    browser.start(SEED)
    one, two = add(browser, 2)
    third = browser.texts("#tracks .title")[2]
    x, y = browser.middle("#items li:nth-child(1)")
    browser.drag("#tracks li:nth-child(3) .what .dim", x, y - 15)
    assert browser.texts(TITLES) == [third, one, two]
    x, y = browser.middle("#items li:nth-child(3)")
    browser.drag("#items li:nth-child(1) .grip", x, y + 15)
    assert browser.texts(TITLES) == [one, two, third]
    browser.drag("#items li:nth-child(1) .grip", 400, 400)
    assert browser.texts(TITLES) == [one, two, third], "what is dropped elsewhere stays"
    assert browser.count("#ghost, .dragged, .before, .after") == 0
    assert browser.run("location.hash") == SEED, "a drag is no click"


def test_the_list_outlives_the_page(browser: PageBrowser) -> None:
    browser.start(SEED)
    titles = add(browser, 2)
    browser.open(f"{browser.address}/", SEED)
    browser.wait("document.querySelectorAll('#items li').length === 2")
    assert browser.texts(TITLES) == titles
    browser.click("#clear")
    assert browser.count("#items li") == 0
    assert browser.texts(".message button") == ["Undo"]
    browser.click("#tracks li:nth-child(1) .icon")
    assert browser.count(".message button") == 0, "it is the last step no more"
    browser.click("#clear")
    assert browser.run("document.getElementById('save').disabled")


def test_a_list_is_exported_as_a_file_of_paths(browser: PageBrowser, library: PageLibrary, tmp_path: Path) -> None:
    browser.start(SEED)
    add(browser, 3)
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.click("#export")
    target = tmp_path / "playlist.m3u8"
    while not target.exists():
        time.sleep(0.05)
        browser.run("1")
    paths = [line for line in target.read_text().splitlines() if not line.startswith("#")]
    sent = parse_qs(browser.run("document.getElementById('export').href.split('?')[1]"))
    assert paths == [str(library.folder / "music" / f"{number}.flac") for number in sent["id"]]


def test_a_playlist_is_saved_with_its_recipe(browser: PageBrowser, recipes: Path) -> None:
    browser.start(f"{SEED}&weights=rhythm%3D2&text=jazz")
    browser.click("#compose")
    browser.wait("document.querySelectorAll('#items li').length === 20")
    assert browser.text(TITLES) == "Song 17"
    browser.open(f"{browser.address}/", SEED)  # what it was made by outlives the page, too
    browser.wait("document.documentElement.dataset.ready === 'yes'")
    browser.run("location.hash = '#id=17&text=jazz', 1")
    browser.wait("document.getElementById('words').value === 'jazz'")
    browser.click("#save")
    assert browser.text("#recipe-saved") == "The file has these 20 tracks, in this order."
    assert "the search no longer allows" in browser.text("#recipe-refreshed")
    assert browser.run("document.getElementById('recipe-name').value") == "jazz"
    browser.type("Evening")  # the name to begin with is selected
    browser.press("Enter")
    browser.wait("document.getElementById('token-dialog').open")
    browser.focus("#token")
    browser.type("a guess")
    browser.press("Enter")
    browser.wait("document.getElementById('token-error').textContent")
    assert browser.text("#token-error") == "That is not the server's token."
    browser.run("document.getElementById('token').select()")
    browser.type(TOKEN)
    browser.press("Enter")
    browser.wait("document.querySelector('.message')")
    browser.wait("[...document.querySelectorAll('.message')].some(one => one.textContent === 'Saved as Evening.m3u8.')")
    content = (recipes / "Evening.m3u8").read_text()
    assert '"weights":"rhythm=2"' in content
    assert content.count("#EXTINF") == 20
    assert browser.run("document.cookie") == "", "scripts cannot read the session"


def test_a_list_put_together_by_hand_says_so(browser: PageBrowser, recipes: Path) -> None:
    browser.start(f"#token={TOKEN}&id=17")
    assert browser.run("location.hash") == SEED, "the token does not stay in the address"
    add(browser, 3)
    browser.focus("#items li:nth-child(3) .title")
    browser.press("ArrowUp", ALT)
    listed = browser.texts(TITLES)
    browser.click("#save")
    assert browser.text("#recipe-refreshed") == "replaces tracks that are gone by others that sound like the rest."
    browser.focus("#recipe-name")
    browser.type("../out")
    browser.press("Enter")
    browser.wait("document.getElementById('recipe-error').textContent")
    browser.run("document.getElementById('recipe-name').select()")
    browser.type("By hand")
    browser.press("Enter")
    browser.wait("!document.getElementById('recipe-dialog').open")
    content = (recipes / "By hand.m3u8").read_text()
    assert [line.split(" - ", 1)[1] for line in content.splitlines() if line.startswith("#EXTINF")] == listed
    assert {path.suffix for path in recipes.iterdir()} == {".m3u8"}


@pytest.mark.parametrize("stored", ["not json", "{}", '[{"track": {"id": "1"}}, {"track": {"id": 5}}, 3]', "null"])
def test_what_is_stored_in_the_browser_is_not_trusted(browser: PageBrowser, stored: str) -> None:
    browser.start()
    browser.run(f"localStorage.setItem('resonance-playlist', {json.dumps(stored)})")
    browser.open(f"{browser.address}/", SEED)
    browser.wait("document.documentElement.dataset.ready === 'yes'")
    assert browser.count("#items li") == 0
    assert not browser.mistakes()
