"""The map on the page: points, what a click plays, the playlist's line, a path, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

if TYPE_CHECKING:
    from tests.server.page.browser import PageBrowser

INSIDE = "import('/static/map_view.js').then(() => %s)"


def open_map(browser: PageBrowser, fragment: str = "") -> None:
    browser.start(fragment)
    browser.click("#views [data-view=map]")
    browser.wait("document.documentElement.dataset.drawn")


def place_of(browser: PageBrowser, number: int) -> tuple[float, float]:
    """Where a track is on the screen, while the whole map is shown."""
    x, y = browser.run(
        "fetch('/api/map').then(one => one.json()).then(({ids, x, y}) => {"
        "const box = document.getElementById('overlay').getBoundingClientRect();"
        "const [left, right, low, high] = [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];"
        "const scale = .9 * Math.min(box.width / (right - left), box.height / (high - low));"
        f"const at = ids.indexOf({number});"
        "return [box.left + box.width / 2 + (x[at] - (left + right) / 2) * scale,"
        "box.top + box.height / 2 - (y[at] - (low + high) / 2) * scale]; })"
    )
    return float(x), float(y)


DRAWN = """import('/static/map_points.js').then(({pointsOf}) => {
  const canvas = document.createElement('canvas'), places = [.25, .5, .75, .5, 2, 2];
  canvas.style = 'position: fixed; inset: 0; width: 200px; height: 100px';
  document.body.append(canvas);
  const points = pointsOf(canvas, () => {}, SLOW);
  points.load(Float32Array.from(places), Uint8Array.from([0, 1, 0]), ['#ff0000', '#0000ff']);
  points.draw({scale: 200, x: 0, y: -50}, 8, 1);
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [200, 100];
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  canvas.remove();
  const at = (x, y) => [...context.getImageData(x, y, 1, 1).data];
  return [points.kind, at(50, 50), at(150, 50), at(52, 50), at(100, 50), at(56, 50)];
})"""


@pytest.mark.parametrize(("slow", "kind"), [("false", "webgl"), ("true", "pixels")])
def test_points_look_the_same_by_graphics_and_without(browser: PageBrowser, slow: str, kind: str) -> None:
    browser.start()
    red, blue, nothing = [255, 0, 0, 255], [0, 0, 255, 255], [0, 0, 0, 0]
    assert browser.run(DRAWN.replace("SLOW", slow)) == [kind, red, blue, red, nothing, nothing]
    assert not browser.mistakes()


def test_the_map_has_all_tracks(browser: PageBrowser) -> None:
    open_map(browser)
    assert browser.run("document.documentElement.dataset.points") == "pixels", "graphics are done in software here"
    assert int(browser.run("document.documentElement.dataset.map")) >= 60
    assert not browser.mistakes()


def test_the_track_under_the_pointer_is_named_and_a_click_plays_it(browser: PageBrowser) -> None:
    open_map(browser)
    x, y = place_of(browser, 57)
    browser.mouse("mouseMoved", x + 2, y - 2)
    browser.wait("!document.getElementById('tip').hidden")
    assert browser.text("#tip .title") == "Song 57"
    browser.click_at(x, y)
    browser.wait("document.querySelector('#player .title')")
    assert browser.text("#player .title") == "Song 57"
    assert browser.text("#point .title") == "Song 57"
    browser.click("#point button")
    browser.wait("location.hash === '#id=57'")
    assert browser.run("document.body.dataset.view") == "find"


def test_a_path_between_two_points(browser: PageBrowser) -> None:
    open_map(browser)
    browser.click("#path")
    assert browser.text("#map-message") == "A path: choose where it begins."
    browser.click_at(*place_of(browser, 57))
    assert browser.text("#map-message") == "A path: choose where it leads."
    browser.click_at(*place_of(browser, 36))
    browser.wait("document.querySelectorAll('#items li').length > 2")
    titles = browser.texts("#items .title")
    assert (titles[0], titles[-1]) == ("Song 57", "Song 36")
    assert parse_qs(browser.fetched("/api/path?")[-1])["stop"] == ["57", "36"]
    assert browser.run("document.getElementById('map-message').hidden")


def test_the_playlist_is_a_line(browser: PageBrowser) -> None:
    open_map(browser, "#id=17")
    pixel = "[...document.getElementById('overlay').getContext('2d').getImageData({x}, {y}, 1, 1).data]"
    box = browser.run("(({left, top}) => [left, top])(document.getElementById('overlay').getBoundingClientRect())")
    places = [place_of(browser, number) for number in (40, 60)]
    x, y = (round((one + other) / 2 - edge) for one, other, edge in zip(*places, box, strict=True))
    assert browser.run(pixel.format(x=x, y=y))[3] == 0
    browser.run(
        "Promise.all([import('/static/playlist.js'), import('/static/tracks.js')])"
        ".then(async ([{playlist}, {lookUp}]) => "
        "playlist.add([(await lookUp(40)).track, (await lookUp(60)).track]) && 1)"
    )
    browser.wait(f"{pixel.format(x=x, y=y)}[3] === 255")


def test_keys_move_zoom_and_play(browser: PageBrowser) -> None:
    open_map(browser)
    browser.focus("#overlay")
    for key in ("+", "ArrowLeft", "ArrowRight", "-"):
        browser.press(key)
    browser.press("Enter")
    browser.wait("document.querySelector('#player .title')")
    browser.press("p")
    browser.wait("document.getElementById('map-message').textContent === 'A path: choose where it leads.'")
    browser.press("Escape")
    browser.wait("document.getElementById('map-message').hidden")
    assert not browser.mistakes()
