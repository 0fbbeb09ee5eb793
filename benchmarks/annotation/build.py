"""Build the annotated tracks: solos, MIDI pieces, speech, singing, rap, mixtures with music, sounds and noises."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from benchmarks.annotation.audio import fit_length, mask_part, middle, mix, read_audio, write_audio
from benchmarks.annotation.instruments import FLUID, FONTS, INSTRUMENTS, TIM, midi_labels, render_midi, render_solo
from benchmarks.annotation.manifest import CORPUS_TRUTH, HALVES, Annotation, read_manifest
from benchmarks.annotation.noise import NOISES
from benchmarks.annotation.recordings import join_clips, package_members, read_clips, read_recordings
from benchmarks.annotation.singing import SINGERS, synthesise_choir, synthesise_song
from benchmarks.annotation.speech import RAPPERS, VOICES, synthesise_rap, synthesise_speech
from resonance_engine.console import progress_bar
from training.default_model.unpacking import download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.annotation.audio import Samples
    from benchmarks.annotation.instruments import Soundfont

    Track = tuple[Annotation, Callable[[], Samples]]

VOICE = frozenset(("voice",))
AUDIBLE = VOICE | {"instrument", "sound"}
ALL = AUDIBLE | {"music", "genre"}
LEVELS = (6.0, 0.0, -6.0)  # dB of the voice above the music
MIDI_PACKAGES = ("openttd-openmsx", "freedink-data")
PIECES = 8  # of a package
UNPLAYABLE = {"104"}  # of freedink-data: fluidsynth ends it at once
RECORDED, SPOKEN = 2, 1  # voices of each half that are mixed with music
FONT_OF = {"development": FLUID, "report": TIM}


class Builder:
    """Writes annotated tracks below `folder`; `packages` holds Debian's packages, fetched where they are missing."""

    def __init__(self, corpus: Path, packages: Path, folder: Path, seed: int) -> None:
        self.corpus, self.packages, self.folder, self.seed = corpus, packages, folder, seed

    def build(self) -> list[Annotation]:
        """Write the tracks that are missing; return the annotations of all, paths relative to `folder`."""
        annotations = []
        families = (self.solos, self.pieces, self.recordings, self.speech, self.songs, self.noises, self.mixtures)
        for family in families:
            for annotation, render in progress_bar(None, desc=family.__name__, iterable=family()):
                path = self.folder / annotation.path
                if not path.is_file():
                    write_audio(render(), path)
                annotations.append(annotation)
        return annotations

    def rng(self, name: str) -> np.random.Generator:
        """Return a generator for each track by its name, so that a new track changes no other."""
        return np.random.default_rng([self.seed, crc32(name.encode())])

    def package(self, name: str) -> Path:
        """Return a Debian package, of the corpus or else fetched."""
        in_corpus = sorted((self.corpus / "debs").glob(f"{name}_*.deb"))
        return in_corpus[0] if in_corpus else download(name, self.packages)

    def solos(self) -> Iterator[Track]:
        for instrument, font in product(INSTRUMENTS, FONTS):
            is_choir = instrument.label == "choir voices"  # sampled voices: neither sung nor without singing
            for number in range(1, font.solos + 1):
                annotation = Annotation(
                    path=f"solos/{slug(instrument.label)}-{font.name}-{number}.flac",
                    kind="synthetic",
                    half=font.half,
                    source=font.name,
                    vocals=None if is_choir else "none",
                    speech=0.0,
                    labels=(instrument.label, "music"),
                    closed=AUDIBLE,
                    proof=f"program {instrument.program} of General MIDI, {font.name}",
                )
                yield annotation, partial(render_solo, instrument, font, self.rng(annotation.path))

    def pieces(self) -> Iterator[Track]:
        for package in MIDI_PACKAGES:
            members = package_members(self.package(package), "*.mid")
            named = ((Path(file).stem, content) for file, content in members)
            files = [(name, content) for name, content in named if name not in UNPLAYABLE and midi_labels(content)[0]]
            for place, (name, content) in enumerate(files[:: max(1, len(files) // PIECES)][:PIECES]):
                font = FONT_OF[HALVES[place % 2]]
                labels, unsure = midi_labels(content)
                has_choir = "choir voices" in (*labels, *unsure)
                annotation = Annotation(
                    path=f"pieces/{package}-{name}.flac",
                    kind="synthetic",
                    half=font.half,
                    source=font.name,
                    vocals=None if has_choir else "none",
                    speech=0.0,
                    labels=(*labels, "music"),
                    unsure=unsure,
                    closed=AUDIBLE,
                    proof=f"programs of {name}.mid in {package}",
                )
                yield annotation, partial(render_middle, content, font)

    def recordings(self) -> Iterator[Track]:
        for recording in read_recordings():
            names = [f"recordings/{recording.name}-{place + 1}.flac" for place in range(recording.tracks)]
            tracks: list[Samples] = []
            if not all((self.folder / name).is_file() for name in names):
                clips = read_clips(self.package(recording.package), recording.pattern)
                tracks = join_clips(clips, recording.tracks)
            for place, name in enumerate(names):
                yield replace(recording.annotation, path=name), partial(tracks.__getitem__, place)

    def speech(self) -> Iterator[Track]:
        for voice in VOICES:
            annotation = Annotation(
                path=f"speech/{voice.name}.flac",
                kind="synthetic",
                half=voice.half,
                source=f"espeak-ng {voice.name}",
                vocals="none",
                speech=1.0,
                labels=("speech",),
                closed=ALL,
                proof=f"espeak-ng -v {voice.name}",
            )
            yield annotation, partial(synthesise_speech, voice, self.rng(annotation.path))
        for voice in RAPPERS:
            annotation = Annotation(
                path=f"rap/{voice.name}.flac",
                kind="synthetic",
                half=voice.half,
                source=f"espeak-ng {voice.name}",
                vocals="throughout",
                labels=("rap", "drums", "bass guitar", "music"),
                closed=AUDIBLE,
                proof=f"espeak-ng -v {voice.name}, its words on the beats of drums and bass",
            )
            yield annotation, partial(synthesise_rap, voice, FONT_OF[voice.half], self.rng(annotation.path))

    def songs(self) -> Iterator[Track]:
        for singer in SINGERS:
            for number in (1, 2):
                annotation = Annotation(
                    path=f"songs/{slug(singer.name)}-{number}.flac",
                    kind="synthetic",
                    half=singer.half,
                    source=f"festival {singer.voice}",
                    vocals="throughout",
                    speech=0.0,
                    labels=(f"{singer.sex} singing", "a cappella"),
                    closed=AUDIBLE,
                    proof=f"Festival's singing mode, {singer.voice}, formants x {singer.formants}",
                )
                yield annotation, partial(synthesise_song, singer, self.rng(annotation.path))
        for half in HALVES:
            singers = [singer for singer in SINGERS if singer.half == half]
            annotation = Annotation(
                path=f"songs/choir-{half}.flac",
                kind="synthetic",
                half=half,
                source=f"festival {half}",
                vocals="throughout",
                speech=0.0,
                labels=("choir", "a cappella"),
                closed=AUDIBLE,
                proof="Festival's singing mode, voices in octaves and fifths",
            )
            yield annotation, partial(synthesise_choir, singers, self.seed)

    def noises(self) -> Iterator[Track]:
        for name, (label, render) in NOISES.items():
            for half in HALVES:
                annotation = Annotation(
                    path=f"noises/{slug(name)}-{half}.flac",
                    kind="synthetic",
                    half=half,
                    source=f"noise {half}",
                    vocals="none",
                    speech=0.0,
                    labels=(label,) if label else (),
                    closed=ALL,
                    proof=f"synthesised {name}",
                )
                yield annotation, partial(render, self.rng(annotation.path))

    def mixtures(self) -> Iterator[Track]:
        """Yield voices over instrumental music of the corpus of the same half at three levels, every other in part."""
        for half in HALVES:
            backgrounds = instrumental_paths(self.corpus, half)
            for place, voice in enumerate(self.mixed_voices(half)):
                background = backgrounds[5 * place % len(backgrounds)]
                share = 1.0 if place % 2 == 0 else 0.5
                is_sung = voice.vocals != "none"
                sung_share = "throughout" if share == 1 else "some"
                for decibels in LEVELS:
                    annotation = replace(
                        voice,
                        path=f"mixtures/{half}-{place + 1}-{decibels:+.0f}dB.flac",
                        kind="synthetic",
                        vocals=sung_share if is_sung else "none",
                        speech=0.0 if is_sung else share,
                        labels=(*(label for label in voice.labels if label != "a cappella"), "music"),
                        closed=VOICE,
                        proof=f"{voice.path} at {decibels:+.0f} dB over {share:.0%} of {background}",
                    )
                    yield annotation, partial(self.mixture, voice.path, background, share, decibels)

    def mixture(self, voice: str, background: str, share: float, decibels: float) -> Samples:
        """Mix a track of this folder with one of the corpus, (2, LENGTH)."""
        samples = mask_part(fit_length(read_audio(self.folder / voice)), share)
        return mix(samples, middle(read_audio(self.corpus / background)), decibels)

    def mixed_voices(self, half: str) -> list[Annotation]:
        """Return the voices that are mixed with music: recorded and synthetic speech of different voices, and songs."""
        families = (self.recordings(), self.speech(), self.songs())
        recorded, spoken, songs = ([track for track, _ in family if track.half == half] for family in families)
        readers = {track.source: track for track in recorded if track.labels == ("speech",)}
        speakers = [track for track in spoken if track.labels == ("speech",)]
        singers = [track for track in songs if "choir" not in track.labels]
        return [*list(readers.values())[:RECORDED], *speakers[:SPOKEN], *singers[::2]]


def instrumental_paths(corpus: Path, half: str) -> list[str]:
    """Return the corpus' tracks of music that is proven to be instrumental, as far as they exist."""
    truth = [track for track in read_manifest(CORPUS_TRUTH) if track.half == half and "music" in track.labels]
    return [track.path for track in truth if track.vocals == "none" and (corpus / track.path).is_file()]


def render_middle(content: bytes, font: Soundfont) -> Samples:
    """Render a MIDI file, and cut its middle, (2, LENGTH)."""
    return middle(render_midi(content, font))


def slug(name: str) -> str:
    return name.replace(" ", "-")
