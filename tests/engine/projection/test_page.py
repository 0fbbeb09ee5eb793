"""The page of a map, also in a real browser, and with titles that would be code if they could."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from resonance_engine.projection.page import MappedTracks, encode_numbers, encode_words, format_page, scale_points
from tests.chromium import Chromium, needs_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>alert(1)//",
    "\u202egnorw\u202c \u2066\u200f",
    "a\u2028b\u2029c",
    "&lt;b&gt; \"'` ${alert(1)} @SCRIPT@ @DATA@",
    "]]><svg/onload=alert(1)>",
    "null\x00and\x1b[31m",
)
BARE_NAME = os.fsencode("/music/\udcffé/🎵 \udcfe.mp3")


def make_tracks(count: int = 12, titles: tuple[str, ...] = HOSTILE) -> MappedTracks:
    """Tracks on a line, the titles in turn; every fourth without words and numbers."""
    named = [titles[number % len(titles)] for number in range(count)]
    odd = np.arange(count) % 4 == 3
    return MappedTracks(
        points=np.stack([np.arange(count, dtype=np.float32), np.zeros(count, np.float32)], axis=1),
        titles=named,
        paths=[BARE_NAME, *(f"/music/{number}.mp3".encode() for number in range(1, count))],
        seconds=[61.4] * count,
        words={
            "cluster": ["left" if 2 * number < count else "right" for number in range(count)],
            "genre": ["" if missing else named[number] for number, missing in enumerate(odd.tolist())],
            "artist": named,
            "album": [""] * count,
        },
        numbers={"tempo": np.where(odd, np.nan, 100.0 + np.arange(count)), "year": np.full(count, np.nan)},
        tag_names=[HOSTILE[0], "never"],
        tags=np.stack([np.linspace(0, 1, count), np.zeros(count)], axis=1),
        lines={HOSTILE[0]: [2, 0, 5]},
    )


def data_of(page: str) -> dict[str, Any]:
    (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    found: dict[str, Any] = json.loads(block)
    return found


class TestData:
    def test_no_character_of_a_tag_can_end_the_block_or_a_line(self) -> None:
        page = format_page(make_tracks(), HOSTILE[0])
        (block,) = re.findall(r'<script type="application/json" id="data">(.*?)\n?<script>', page, re.DOTALL)
        assert block.removesuffix("</script>").isascii()
        assert not set(block.removesuffix("</script>")) & set("<>&\n\r\x00\x1b\x7f")
        assert page.count("<script") == 2
        assert page.count("alert(1)") == page.count("alert(1)", page.index('id="data"')), "nowhere but in the data"

    def test_titles_come_back_as_they_were(self) -> None:
        tracks = make_tracks()
        data = data_of(format_page(tracks, HOSTILE[4]))
        assert data["title"] == list(tracks.titles)
        assert data["summary"] == HOSTILE[4]
        paths = [data["folders"][folder] + name for folder, name in zip(data["folder"], data["file"], strict=True)]
        assert [os.fsencode(path) for path in paths] == list(tracks.paths)

    def test_the_policy_allows_the_own_script_and_style_alone(self) -> None:
        page = format_page(make_tracks(), "")
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "unsafe" not in policy
        assert not re.search(r"https?:", page)

    def test_colours_are_offered_for_what_some_track_has(self) -> None:
        data = data_of(format_page(make_tracks(), ""))
        assert [name for _, name in data["modes"]] == ["cluster", "genre", "artist", "tempo"]
        assert list(data["tags"]) == [HOSTILE[0]]

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_few_tracks(self, count: int) -> None:
        tracks = MappedTracks(
            np.zeros((count, 2)), ["a"] * count, [b"/a"] * count, [1.0] * count, {"cluster": ["x"] * count}
        )
        data = data_of(format_page(tracks, ""))
        assert data["x"] == data["y"] == [32_768] * count

    def test_points_keep_their_proportions(self) -> None:
        points = scale_points(np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 1.0]]))
        assert points.min() >= 0
        assert points.max() == 65_535
        assert np.ptp(points[:, 0]) == pytest.approx(4 * np.ptp(points[:, 1]), rel=1e-3)

    def test_words_are_written_once(self) -> None:
        assert encode_words(["b", "a", "b"]) == (["b", "a"], [0, 1, 0])

    def test_all_numbers_alike_are_in_the_scale(self) -> None:
        assert encode_numbers(np.array([5.0, 5.0, np.nan]))["packed"] == "AQEA"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "map.html"
    path.write_bytes(format_page(make_tracks(), HOSTILE[0]).encode())
    return path


@needs_chromium
class TestBrowser:
    def test_titles_are_text_and_nothing_is_loaded(self, browser: Chromium, page: Path) -> None:
        browser.open(page)
        for mode in browser.run("[...document.getElementById('colour').options].map(one => one.value)"):
            browser.run(f"colourBy({json.dumps(mode)})")
        for number in range(12):
            browser.run(f"show({number}, 10, 10)")
            tip = browser.run("[...document.querySelectorAll('#tip div')].map(one => one.textContent)")
            assert tip[0] == HOSTILE[number % len(HOSTILE)]
        browser.run("choose(new Uint8Array(count).fill(1))")
        assert browser.run("document.querySelectorAll('img, svg, iframe, b').length") == 0
        assert browser.run("document.scripts.length") == 2
        assert not browser.happened("Page.javascriptDialogOpening")
        assert not browser.happened("Runtime.exceptionThrown")
        assert not browser.happened("Log.entryAdded"), "violations of the policy would be here"
        urls = {event["request"]["url"].partition(":")[0] for event in browser.happened("Network.requestWillBeSent")}
        assert urls == {"file"}
        assert len(browser.happened("Network.requestWillBeSent")) == 1

    def test_marks_of_direction_end_with_their_line(self, browser: Chromium, page: Path) -> None:
        browser.open(page, "#track=2")
        lines = browser.run(
            "[...document.querySelectorAll('#tip div')].map(one => [one.dir, getComputedStyle(one).unicodeBidi])"
        )
        assert lines
        assert all(line == ["auto", "isolate"] for line in lines)

    def test_the_policy_stops_code_that_gets_in_nevertheless(self, browser: Chromium, page: Path) -> None:
        browser.open(page)
        browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran=1\">')")
        browser.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'ran=1'}))")
        assert browser.run("typeof window.ran") == "undefined"

    def test_the_track_under_the_pointer_is_shown(self, browser: Chromium, page: Path) -> None:
        browser.open(page)
        x, y = browser.run("[X[3] * view.scale + view.x, Y[3] * view.scale + view.y]")
        browser.mouse("mouseMoved", x + 3, y - 2)
        assert browser.run("hovered") == 3
        browser.mouse("mouseMoved", 5, 5)
        assert browser.run("document.getElementById('tip').hidden")

    def test_a_lasso_becomes_a_playlist_with_the_bytes_of_the_paths(self, browser: Chromium, page: Path) -> None:
        browser.open(page)
        corners = browser.run(
            "[-.05, .05].map(d => [X[0] * view.scale + view.x - 20, (Y[0] + d) * view.scale + view.y])"
        )
        right = browser.run("(X[1] + X[2]) / 2 * view.scale + view.x")
        shift = {"modifiers": 8}
        browser.mouse("mousePressed", *corners[0], **shift)
        for x, y in ((right, corners[0][1]), (right, corners[1][1]), corners[1]):
            browser.mouse("mouseMoved", x, y, **shift)
        browser.mouse("mouseReleased", *corners[1], **shift)
        assert browser.run("document.getElementById('chosen').textContent") == "2 tracks chosen"
        content = bytes(browser.run("playlist(listed(chosen)).arrayBuffer().then(one => [...new Uint8Array(one)])"))
        assert content.split(b"\n")[0] == b"#EXTM3U"
        assert content.split(b"\n")[2::2] == [BARE_NAME, b"/music/1.mp3"]
        assert content.split(b"\n")[1].startswith(b"#EXTINF:61,</script><img")

    def test_search_keeps_what_has_all_words(self, browser: Chromium, page: Path) -> None:
        browser.open(page, "#search=ONERROR+img")
        assert browser.run("document.getElementById('found').textContent") == "2 tracks"

    def test_a_legend_hides_and_shows(self, browser: Chromium, page: Path) -> None:
        browser.open(page, "#colour=cluster")
        browser.run("document.querySelector('#legend li').click()")
        assert browser.run("[...Array(count).keys()].filter(isShown).length") == 6

    def test_a_map_without_tracks_opens(self, browser: Chromium, tmp_path: Path) -> None:
        path = tmp_path / "empty.html"
        path.write_text(format_page(MappedTracks(np.empty((0, 2)), [], [], [], {"cluster": []}), ""), encoding="utf-8")
        browser.open(path)
        assert browser.run("document.documentElement.dataset.ready") == "0"
        assert not browser.happened("Runtime.exceptionThrown")
