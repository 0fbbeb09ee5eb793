"""Every option of `beet similar`, and `similar:`, on forty tracks of real music; RESONANCE_CORPUS says where."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.e2e.corpus import Corpus, corpus_library, needs_corpus

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), needs_corpus]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return corpus_library(tmp_path_factory.getbasetemp() / "corpus")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "artist:nobody", "id:5"), "no track matches artist:nobody"),
        (("id:999",), "no track matches id:999"),
        (("--not", "id:999", "id:5"), "no track matches id:999"),
        (("--not", "id:5", "id:5"), "names every track to start from"),
        (("--at", "59:00-59:30", "id:5"), "no passage 59:00-59:30"),
        (("--file", "nowhere.ogg"), "nowhere.ogg"),
        (("--text", "jabberwocky"), "no word for 'jabberwocky'"),
        (("--text", "slow", "--like", "rhythm"), "compares with a track"),
        (("--bpm", "0.95-1.05", "id:2"), "--bpm"),
        (("--key", "compatible", "id:27"), "--key"),
        (("--weights", "colour=1", "id:5"), "--weights"),
        (("-a", "album:nothing"), "album:nothing"),
        (("--artists", "artist:nobody"), "artist:nobody"),
    ],
)
def test_what_cannot_be_is_a_sentence(corpus: Corpus, arguments: tuple[str, ...], said: str) -> None:
    told = corpus.home.fails("similar", *arguments)
    assert told.startswith("error: ")
    assert said in told
    assert told.count("\n") == 1


def test_best_first_without_the_seed_and_below_fifty_tracks_uncorrected(corpus: Corpus) -> None:
    rows = corpus.similar("id:5", "-n", "20")
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert len({row["id"] for row in rows} - {5}) == 20
    assert corpus.similar("id:5", "-n", "20", "--hubness", "none") == rows


def test_candidates_match_the_query(corpus: Corpus) -> None:
    rows = corpus.similar("--from", "artist:supertux-data", "--per-artist", "0", "--per-album", "0", "id:5")
    assert {row["id"] for row in rows} == {33, 34, 35, 36, 37}


def test_tracks_to_keep_away_from_take_off_and_never_add(corpus: Corpus) -> None:
    before, after = corpus.scores("id:5"), corpus.scores("id:5", "--not", "id:7")
    shared = before.keys() & after.keys()
    assert all(after[each] <= before[each] + 1e-4 for each in shared)
    assert after[4] < before[4]


def test_a_file_counts_as_its_track_and_a_passage_as_itself(corpus: Corpus) -> None:
    path = corpus.field("path")[5]
    whole = corpus.similar("id:5")
    assert corpus.similar("--file", path) == whole
    assert corpus.similar("--at", "0:30-1:00", "id:5") == corpus.similar("--at", "0:30-1:00", "--file", path) != whole
    stranger = corpus.similar("--file", str(corpus.stranger), "-n", "3")
    assert stranger[0]["artist"] == "0ad-data"


def test_words_say_how_well_each_fits(corpus: Corpus) -> None:
    rows = corpus.similar("--text", "slow, minor key", "--explain", "-n", "5")
    assert all({*row["fits"]} == {"slow", "minor key"} for row in rows)
    assert min(share for row in rows for share in row["fits"].values()) > 0.3
    assert len(corpus.similar("--text", "slow", "id:5", "-n", "5")) == 5


def test_tempo_and_key(corpus: Corpus) -> None:
    tempi = [float(corpus.field("res_bpm")[row["id"]]) for row in corpus.similar("--bpm", "105-115", "id:5")]
    assert tempi
    assert all(any(105 <= factor * tempo <= 115 for factor in (0.5, 1, 2)) for tempo in tempi)
    keys = {corpus.field("res_key")[row["id"]] for row in corpus.similar("--key", "compatible", "id:5")}
    assert corpus.field("res_key")[5] == "C minor"
    assert {"C minor"} < keys <= {"C minor", "G minor", "F minor", "Eb major"}


def test_caps_hold(corpus: Corpus) -> None:
    for option, field in (("--per-artist", "artist"), ("--per-album", "album")):
        counts = Counter(row[field] for row in corpus.similar(option, "1", "id:20", "-n", "40"))
        assert {*counts.values()} == {1}
    rows, said = corpus.similar_with_notes("--min-score", "0.2", "--max-length", "3", "id:5")
    assert rows
    assert all(row["score"] >= 0.2 and row["length"] <= 180 for row in rows)
    assert "of 20 tracks found" in said
    assert 26 not in corpus.scores("id:5", "-n", "40")
    assert 26 in corpus.scores("id:5", "-n", "40", "--max-length", "0", "--per-artist", "0", "--per-album", "0")


def test_versions_come_up_only_when_asked_for(corpus: Corpus) -> None:
    everything = ("id:6", "-n", "40", "--per-artist", "0", "--per-album", "0")
    assert 4 not in corpus.scores(*everything)
    assert 4 in corpus.scores(*everything, "--versions")


def test_facets_weigh_what_they_are_told_to(corpus: Corpus) -> None:
    def rhythm(*arguments: str) -> float:
        rows = corpus.similar("id:5", "--explain", "-n", "10", *arguments)
        assert all(sum(row["shares"].values()) == pytest.approx(1, abs=5e-3) for row in rows)
        return sum(float(row["shares"]["rhythm"]) for row in rows) / len(rows)

    usual = rhythm()
    assert rhythm("--like", "rhythm") > max(2 * usual, 0.5)
    assert rhythm("--weights", "rhythm=4") > usual
    assert rhythm("--weights", "rhythm=0") == 0


def test_a_field_is_favoured(corpus: Corpus) -> None:
    def rating(*arguments: str) -> int:
        return sum(int(row["id"]) % 10 for row in corpus.similar("id:5", "-n", "10", *arguments))

    assert rating("--prefer", "rating=5") > rating() > rating("--prefer", "rating=-5")
    assert "no track here has a number" in corpus.similar_with_notes("id:5", "--prefer", "grandeur")[1]


def test_ranking_variants(corpus: Corpus) -> None:
    usual = [row["id"] for row in corpus.similar("id:5")]
    mmr = ("id:5", "--rerank", "mmr", "--lambda-div")
    assert [row["id"] for row in corpus.similar(*mmr, "0")] == usual
    varied = [row["id"] for row in corpus.similar(*mmr, "0.7")]
    assert (varied[0], len({*varied})) == (usual[0], len(varied))
    assert varied != usual
    assert corpus.scores("id:5", "--prf", "5") != corpus.scores("id:5")
    several = "artist:0ad-data"
    assert corpus.scores(several, "--combine", "agreement") == corpus.scores(several)
    assert corpus.scores(several, "--combine", "centroid") != corpus.scores(several)


def test_albums_and_artists(corpus: Corpus) -> None:
    albums, artists = corpus.similar("-a", "album:supertux-data"), corpus.similar("--artists", "artist:supertux-data")
    assert albums[0]["album"] == artists[0]["artist"]
    for rows, name in ((albums, "album"), (artists, "artist")):
        scores = [row["score"] for row in rows]
        assert scores == sorted(scores, reverse=True)
        assert "supertux-data" not in {row[name] for row in rows}


def test_beets_query_lists_the_same(corpus: Corpus) -> None:
    found = corpus.similar("-n", "8", "id:5")
    lines = corpus.home.beet("ls", "-f", "$id $similarity", "similar:8:id:5", "similarity-")
    assert [line.split()[0] for line in lines] == [str(row["id"]) for row in found]
    assert [float(line.split()[1]) for line in lines] == pytest.approx([row["score"] for row in found], abs=1e-3)
    within = corpus.home.beet("ls", "-f", "$artist", "similar:id:5 --from artist:supertux-data", "similarity-")
    assert {*within} == {"supertux-data"}
    said = "resonance: similar: no track matches id:999; try `beet ls id:999`\n"
    assert corpus.home.run("ls", "similar:id:999") == (0, "", said)
