"""Search on the page: completion, matches and why they match, what counts, words, files, hostile titles."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.server.page.page_library import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.page.browser import PageBrowser

NOTES = "#notes li"
TITLES = "#tracks .title"
SAME_ARTIST = (6, 8, 9, 10)  # as the sound of the file that is sent


def search_for(browser: PageBrowser, text: str) -> None:
    browser.focus("#search")
    browser.type(text)
    browser.wait("document.querySelector('#suggestions li')")


def test_the_library_is_listed_before_anything_is_searched_for(browser: PageBrowser) -> None:
    browser.start()
    assert browser.text("#listed") == "Your music"
    status = "fetch('/api/status').then(one => one.json())"
    analysed, tracks = browser.run(f"{status}.then(one => [one.analysed, one.tracks])")
    assert tracks == 63
    assert browser.text("#status") == f"{analysed} of 63 tracks analysed"
    assert browser.count("#tracks li") == 50
    browser.click("#further")
    browser.wait("document.querySelectorAll('#tracks li').length === 63")
    assert not browser.mistakes()


def test_search_by_keyboard(browser: PageBrowser) -> None:
    browser.start()
    browser.press("/")
    browser.type("Song 17")
    browser.wait("document.querySelector('#suggestions [aria-selected=true]')")
    assert browser.text("#suggestions .title") == "Song 17"
    selected = browser.run("document.getElementById('search').getAttribute('aria-activedescendant')")
    assert browser.run(f"document.getElementById({json.dumps(selected)}).role") == "option"
    browser.press("Enter")
    browser.wait("location.hash === '#id=17'")
    browser.wait("document.querySelector('#seeds .seed')")
    browser.settle()
    assert browser.text("#seeds .title") == "Song 17"
    assert browser.run("document.getElementById('suggestions').hidden")


def test_matches_have_reasons(browser: PageBrowser) -> None:
    browser.start("#id=17")
    label = browser.run("document.querySelector('#tracks .shares').getAttribute('aria-label')")
    assert label.startswith("Alike in ")
    assert "timbre" in label
    widths = browser.run("[...document.querySelector('#tracks .shares').children].map(one => one.offsetWidth)")
    assert len(widths) > 1
    assert all(width > 0 for width in widths)
    scores = [float(score) for score in browser.texts("#tracks .score")]
    assert scores == sorted(scores, reverse=True)


def test_a_click_on_a_title_leads_on_and_back_leads_back(browser: PageBrowser) -> None:
    browser.start("#id=17")
    first = browser.text(TITLES)
    browser.click(TITLES)
    browser.wait("location.hash !== '#id=17'")
    browser.settle()
    assert browser.text("#seeds .title") == first
    browser.run("history.back()")
    browser.wait("location.hash === '#id=17'")
    browser.wait("document.querySelector('#seeds .title').textContent === 'Song 17'")


def test_the_focus_goes_on_where_a_track_was_left_out(browser: PageBrowser) -> None:
    browser.start("#id=17")
    second = browser.texts(TITLES)[1]
    browser.focus("#tracks li:nth-child(1) .icon:last-child")
    browser.press("Enter")
    browser.wait("document.querySelector('#menu button')")
    place = browser.texts("#menu button").index("Leave this out")
    for _ in range(place):
        browser.press("ArrowDown")
    browser.press("Enter")
    browser.wait(f"document.querySelector('{TITLES}').textContent === {json.dumps(second)}")
    browser.settle()
    label = browser.run("document.activeElement.getAttribute('aria-label')")
    assert label.startswith(f"More with {second}")
    assert browser.run("document.activeElement.closest('li') === document.querySelector('#tracks li')")


def test_all_that_match_can_be_the_start(browser: PageBrowser) -> None:
    browser.start()
    search_for(browser, "Artist E")
    place = [text.startswith("All ") for text in browser.texts("#suggestions .title")].index(True)
    browser.click(f"#suggestions li:nth-child({place + 1})")
    browser.wait("location.hash.startsWith('#query=')")
    browser.wait("document.querySelector('#tracks .score')")
    assert browser.text("#seeds").startswith("All ")


def test_sliders_rank_anew(browser: PageBrowser) -> None:
    browser.start("#id=17")
    before = browser.texts(TITLES)
    browser.focus("#facets .slider:nth-of-type(3) input")
    for _ in range(20):
        browser.press("ArrowUp")
    browser.wait("location.hash.includes('weights=rhythm')")
    browser.wait(f"document.querySelector('{TITLES}') && !document.querySelector('#results[aria-busy]')")
    browser.settle()
    assert browser.texts(TITLES) != before
    assert parse_qs(browser.fetched("/api/similar?")[-1])["weights"] == ["rhythm=3"]
    browser.click("#even")
    browser.wait("!location.hash.includes('weights')")
    browser.settle()
    assert browser.texts(TITLES) == before


def test_words_count_and_those_that_do_not_are_named(browser: PageBrowser) -> None:
    browser.start("#id=17")
    browser.focus("#words")
    browser.type("more jazz, slower, frobnic")
    browser.wait("location.hash.includes('frobnic') && document.querySelector('#notes li')")
    browser.settle()
    sent = parse_qs(browser.fetched("/api/similar?")[-1])
    assert sent["bpm"] == ["0.7-0.95"]
    assert sent["text"] == ["more jazz, , frobnic"]
    notes = browser.texts(NOTES)
    assert notes[0].startswith("“slower”: 0.7 to 0.95 times its tempo")
    assert any("frobnic" in note for note in notes[1:])


def test_words_alone_are_enough(browser: PageBrowser) -> None:
    browser.start()
    search_for(browser, "happy jazz")
    browser.press("Enter")
    browser.wait("location.hash === '#text=happy+jazz'")
    browser.wait("document.querySelector('#tracks .score')")
    assert browser.text("#listed") == "Sounds like “happy jazz”"
    browser.settle()
    assert re.fullmatch(r"fits happy \d+ %, jazz \d+ %", browser.text("#tracks .traits"))


def test_what_cannot_be_done_is_a_sentence(browser: PageBrowser) -> None:
    browser.start("#text=frobnic")
    assert "frobnic" in browser.text(NOTES)
    assert browser.count("#tracks li") == 0
    browser.start("#id=62")
    assert browser.text(NOTES)
    assert not browser.mistakes()


def test_a_file_is_searched_by(browser: PageBrowser, tmp_path: Path) -> None:
    path = tmp_path / "sent <b>.ogg"
    path.write_bytes(b"OggS and so on")
    browser.start()
    document = browser.call("DOM.getDocument")["root"]["nodeId"]
    node = browser.call("DOM.querySelector", nodeId=document, selector="#file")["nodeId"]
    browser.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)
    browser.wait("document.querySelector('#tracks .score')")
    browser.settle()
    assert browser.text("#seeds .title") == "sent <b>.ogg"
    assert browser.text(TITLES) in {f"Song {number}" for number in SAME_ARTIST}
    assert len(browser.fetched("/api/uploads")) == 1
    first = browser.texts(TITLES)
    browser.focus("#facets .slider:nth-of-type(3) input")
    for _ in range(20):
        browser.press("ArrowUp")
    browser.wait("location.hash.includes('weights=rhythm')")
    browser.settle()
    browser.wait(
        f"JSON.stringify([...document.querySelectorAll('{TITLES}')].map(one => one.textContent)) !== "
        f"{json.dumps(json.dumps(first, separators=(',', ':')))}"
    )
    assert len(browser.fetched("/api/uploads")) == 1, "it was sent once"
    browser.click(TITLES)
    browser.wait("!document.querySelector('#seeds').textContent.includes('file of yours')")
    browser.run("history.back()")
    browser.wait("document.querySelector('#seeds .title')?.textContent === 'sent <b>.ogg'")
    browser.settle()
    assert len(browser.fetched("/api/uploads")) == 1, "the way back sends nothing"


def drop(browser: PageBrowser, kind: str, *files: str) -> None:
    """Let the browser drag files over the page, and drop them."""
    data = {"items": [], "files": list(files), "dragOperationsMask": 1}
    for step in ("dragEnter", "dragOver", kind):
        browser.call("Input.dispatchDragEvent", type=step, x=400, y=400, data=data)


def test_a_file_is_dropped(browser: PageBrowser, tmp_path: Path) -> None:
    path = tmp_path / "dropped.ogg"
    path.write_bytes(b"OggS and so on")
    browser.start()
    browser.click("#views [data-view=map]")
    drop(browser, "dragCancel", str(path))
    browser.wait("document.getElementById('drop').hidden")
    drop(browser, "drop", str(path))
    browser.wait("document.querySelector('#tracks .score')")
    browser.settle()
    assert browser.run("document.getElementById('drop').hidden")
    assert browser.text("#seeds .title") == "dropped.ogg"
    assert browser.run("document.body.dataset.view") == "find"
    assert len(browser.fetched("/api/uploads")) == 1
    assert not browser.mistakes()


def test_a_file_that_the_server_forgot_is_sent_again(browser: PageBrowser, tmp_path: Path) -> None:
    path = tmp_path / "forgotten.ogg"
    path.write_bytes(b"OggS and so on")
    browser.start()
    drop(browser, "drop", str(path))
    browser.wait("document.querySelector('#tracks .score')")
    browser.run(
        "import('/static/query.js').then(async ({query}) => "
        "{ (await query.uploads.get(query.file)).upload = 'x'; query.change({text: 'jazz'}); return 1; })"
    )
    browser.wait("document.querySelector('#tracks .traits')?.textContent.includes('fits jazz')")
    assert len(browser.fetched("/api/uploads")) == 2


def test_files_of_other_kinds_are_not_sent(browser: PageBrowser, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear")
    browser.start()
    document = browser.call("DOM.getDocument")["root"]["nodeId"]
    node = browser.call("DOM.querySelector", nodeId=document, selector="#file")["nodeId"]
    browser.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)
    browser.wait("document.querySelector('.message')")
    assert browser.text(".message") == "letter.txt is not an audio file."
    assert not browser.fetched("/api/uploads")


def test_titles_are_text(browser: PageBrowser) -> None:
    browser.start("#id=1")
    browser.focus("#search")
    browser.type("ran=1")
    browser.wait("document.querySelector('#suggestions li')")
    browser.press("Escape")
    for number, title in HOSTILE.items():
        browser.start(f"#id={number}")
        browser.wait("document.querySelector('#seeds .title')")
        assert browser.text("#seeds .title") == title
        browser.click("#tracks .icon")
        browser.click("#seeds .play")
        browser.wait("document.querySelector('#player .title')")
        assert browser.text("#player .title") == title
        assert browser.run("window.ran") is None
        assert browser.run("[...document.images].every(one => one.src.startsWith(location.origin + '/api/tracks/'))")
        isolated = "getComputedStyle(one).unicodeBidi === 'isolate' && one.dir === 'auto'"
        assert browser.run(f"[...document.querySelectorAll('.title')].every(one => {isolated})")
        assert not browser.happened("Page.javascriptDialogOpening")
        assert not browser.mistakes()


def test_the_policy_stops_code_that_gets_in_nevertheless(browser: PageBrowser) -> None:
    browser.start()
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran=1\">')")
    browser.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'ran=1'}))")
    assert browser.run("typeof window.ran") == "undefined"


def test_covers(browser: PageBrowser) -> None:
    browser.start("#id=1")
    browser.wait("document.querySelector('#seeds .cover.loaded')")
    browser.start("#id=17")
    browser.wait("document.querySelector('#seeds .cover') && !document.querySelector('#seeds .cover img')")
