"""beets' plugin `web`: what its addresses answer to queries by sound."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from beets import plugins
from beets.dbcore.query import InvalidQueryError

from tests.plugin.circle_library import CircleLibrary

pytest.importorskip("flask", reason="`beet web` needs beets[web], of the extra test")

if TYPE_CHECKING:
    from flask.testing import FlaskClient


class TestWeb(CircleLibrary):
    @pytest.fixture(autouse=True)
    def _thirty_tracks(self, setup: None, io: object, _nothing_heard: None) -> None:  # noqa: ARG002 - come first
        self.circle(30)
        for item in self.lib.items():
            self.lib.add_album([item])
        self.analyse()
        plugins.send("library_opened", lib=self.lib)

    def client(self) -> FlaskClient:
        from beetsplug.web import app

        app.config["lib"] = self.lib
        app.testing = True  # errors reach the test
        return app.test_client()

    def fetch(self, address: str) -> list[dict[str, Any]]:
        response = self.client().get(address)
        assert response.status_code == 200
        results: list[dict[str, Any]] = response.get_json()["results"]
        return results

    def titles(self, address: str) -> list[str]:
        return [item["title"] for item in self.fetch(f"/item/query/{address}")]

    @pytest.mark.parametrize(
        ("address", "query"),
        [
            ("similar:3:title:12/similarity-", ["similar:3:title:12", "similarity-"]),
            ("similar:5:id:4/similarity+", ["similar:5:id:4", "similarity+"]),
            ("similar:9:id:4/similarity:0.98../similarity-", ["similar:9:id:4", "similarity:0.98..", "similarity-"]),
            ("similarity:0.98../similar:9:id:4", ["similarity:0.98..", "similar:9:id:4"]),
            ("similar:5:id:4%20--from%20title:9/similarity-", ["similar:5:id:4 --from title:9", "similarity-"]),
            ("similar:4:title:1%20artist:2/similarity-", ["similar:4:title:1 artist:2", "similarity-"]),
            ("similar:9:id:4/title:2", ["similar:9:id:4", "title:2"]),
            ("res_bpm:62..64", ["res_bpm:62..64"]),
            ("similar:title:nothing", ["similar:title:nothing"]),
        ],
    )
    def test_an_address_answers_what_ls_lists(self, address: str, query: list[str]) -> None:
        listed = self.beet("ls", "-f", "$title", *query)
        assert self.titles(address) == listed
        assert listed or query == ["similar:title:nothing"]

    def test_albums(self) -> None:
        albums = self.fetch("/album/query/similar:3:album:12/similarity-")
        assert [album["album"] for album in albums] == self.beet(
            "ls", "-a", "-f", "$album", "similar:3:album:12", "similarity-"
        )
        assert len(albums) == 3

    def test_scores_are_no_part_of_the_answer(self) -> None:
        """Which the documents say: `web` writes what is stored, and a score is computed."""
        (item,) = self.fetch("/item/query/similar:1:id:4")
        assert "similarity" not in item

    def test_concurrent_queries_have_the_same_answers(self) -> None:
        def nearest(number: int) -> list[str]:
            return self.titles(f"similar:6:id:{number}/similarity-")

        numbers = list(range(1, 30))
        expected = [nearest(number) for number in numbers]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(nearest, numbers * 5)) == expected * 5

    def test_a_range_of_scores_alone_knows_nothing_of_earlier_answers(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, "beets")  # else pytest keeps beets' notes, and the queries in them
        assert self.titles("similar:5:id:4/similarity:0.9..")
        assert self.titles("similarity:0.9..") == []

    def test_a_mistake_is_an_error_of_beets(self) -> None:
        for address in ("similar:", "year:abc"):
            with pytest.raises(InvalidQueryError):
                self.titles(address)
        client = self.client()
        client.application.testing = False
        assert client.get("/item/query/similar:").status_code == 500
