"""Responses, ids, parameters and the index of artists, by themselves."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.server.browsing import Artist
from resonance_engine.server.subsonic.elements import format_moment
from resonance_engine.server.subsonic.errors import SubsonicError
from resonance_engine.server.subsonic.ids import Reference, album_id, artist_id, parse_as, parse_id, playlist_id
from resonance_engine.server.subsonic.indexes import group_by_letter

pytest.importorskip("fastapi", reason="needs FastAPI, of the extra serve")

from resonance_engine.server.subsonic.parameters import Parameters, parse_pairs
from resonance_engine.server.subsonic.responses import check_format, make_failure, make_response

SPACE = "{http://subsonic.org/restapi}"
PAYLOAD = {
    "genres": {"genre": [{"songCount": 2, "value": "R&B <x>"}]},
    "openSubsonicExtensions": [{"name": "formPost", "versions": [1, 2]}],
    "license": {"valid": True},
}


class TestResponses:
    def test_xml(self) -> None:
        response = make_response(PAYLOAD, "xml")
        root = ET.fromstring(bytes(response.body))  # noqa: S314 - our own
        assert response.headers["content-type"] == "text/xml; charset=utf-8"
        assert root.tag == f"{SPACE}subsonic-response"
        assert (root.get("status"), root.get("openSubsonic"), root.get("version")) == ("ok", "true", "1.16.1")
        genre = root.find(f"{SPACE}genres/{SPACE}genre")
        assert genre is not None
        assert (genre.text, genre.attrib) == ("R&B <x>", {"songCount": "2"})
        versions = root.findall(f"{SPACE}openSubsonicExtensions/{SPACE}versions")
        assert [each.text for each in versions] == ["1", "2"]
        license_ = root.find(f"{SPACE}license")
        assert license_ is not None
        assert license_.attrib == {"valid": "true"}

    def test_json(self) -> None:
        record = json.loads(bytes(make_response(PAYLOAD, "json").body))["subsonic-response"]
        assert {name: record[name] for name in PAYLOAD} == PAYLOAD
        assert (record["status"], record["openSubsonic"], record["type"]) == ("ok", True, "resonance")

    def test_a_failure(self) -> None:
        error = SubsonicError(70, "There is none.")
        record = json.loads(bytes(make_failure(error, "json").body))["subsonic-response"]
        assert (record["status"], record["error"]) == ("failed", {"code": 70, "message": "There is none."})

    @given(st.text(st.characters(codec=None)))
    def test_any_text_of_a_tag_can_be_sent(self, text: str) -> None:
        payload = {"song": {"title": text}}
        ET.fromstring(bytes(make_response(payload, "xml").body))  # noqa: S314 - our own
        assert json.loads(bytes(make_response(payload, "json").body))["subsonic-response"]["song"] == payload["song"]

    def test_formats(self) -> None:
        assert [check_format(name) for name in (None, "", "xml", "json")] == ["xml", "xml", "xml", "json"]
        with pytest.raises(SubsonicError, match="f=xml or f=json"):
            check_format("jsonp")


class TestIds:
    @given(st.text())
    def test_names_come_back(self, name: str) -> None:
        assert parse_id(artist_id(name)) == Reference("artist", name=name)
        assert parse_id(playlist_id(name)) == Reference("playlist", name=name)

    def test_numbers_come_back(self) -> None:
        assert parse_id(album_id(7)) == Reference("album", 7)
        assert parse_id("7") == Reference("track", 7)

    @pytest.mark.parametrize(
        "text", ["", "0", "-1", "al-", "al-x", "al-0", "9" * 19, "9" * 30, "\u0663", "ar-é", "ar-*", "tr"]
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(SubsonicError) as caught:
            parse_id(text)
        assert caught.value.code == 70

    def test_one_of_another_kind(self) -> None:
        with pytest.raises(SubsonicError, match="the id of an album, not a track's"):
            parse_as("al-1", "track")


class TestParameters:
    def test_numbers_keep_their_bounds(self) -> None:
        parameters = Parameters(parse_pairs("a=5&b=900&c=-3&d=&e=x&f=1.5"))
        assert [parameters.number(name, 7, 0, 500) for name in "abcdz"] == [5, 500, 0, 7, 7]
        for name in "ef":
            with pytest.raises(SubsonicError, match=f"parameter {name} must be a whole number"):
                parameters.number(name, 7, 0, 500)

    def test_what_is_required(self) -> None:
        parameters = Parameters([("id", ""), ("x", "1"), ("x", "2")])
        assert parameters.require("x") == "1"
        for name in ("id", "y"):
            with pytest.raises(SubsonicError, match=f"parameter {name} is missing") as caught:
                parameters.require(name)
            assert caught.value.code == 10

    def test_years(self) -> None:
        cases: dict[str, Any] = {"": None, "fromYear=1990": (1990, 9999), "fromYear=2000&toYear=1990": (2000, 1990)}
        assert {text: Parameters(parse_pairs(text)).years() for text in cases} == cases


def test_artists_stand_under_letters() -> None:
    names = ("The Beatles", "ABBA", "Édith Piaf", "2Pac", "The", "Ямал", "", "El Ten Eleven")
    artists = [*map(Artist, names), Artist("Bob Dylan", sort_name="Dylan, Bob")]
    groups = {letter: [artist.name for artist in group] for letter, group in group_by_letter(artists).items()}
    assert groups == {
        "#": ["", "2Pac"],
        "A": ["ABBA"],
        "B": ["The Beatles"],
        "D": ["Bob Dylan"],
        "E": ["Édith Piaf"],
        "T": ["El Ten Eleven", "The"],
        "Я": ["Ямал"],
    }


def test_moments() -> None:
    assert format_moment(0.0) == "1970-01-01T00:00:00Z"
    assert format_moment(-5.0) == "1970-01-01T00:00:00Z"
    assert format_moment(1e300) == "9999-12-31T23:59:59Z"
