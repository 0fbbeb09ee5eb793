"""The settings of training with their types, limits and defaults, as frozen pydantic dataclasses.

`config/base.yaml` shows them all; `config_file` reads such a file.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, Strict
from pydantic.dataclasses import dataclass

from resonance_engine.features.spec import (
    Decoding,
    FeatureSpec,
    Framing,
    HarmonySpec,
    InstrumentationSpec,
    RhythmSpec,
    SemanticSpec,
    TimbreSpec,
)

ANALYSIS_SECONDS = 0.093  # length of a spectrum: 4096 samples at 44.1 kHz
WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
CHECKED = ConfigDict(extra="forbid", allow_inf_nan=False)


def parse_text(kind: type[int | float]) -> BeforeValidator:
    """Let a number be given as text: a command line has nothing else, and YAML 1.1 reads 1e-4 as text."""

    def number(value: object) -> object:
        try:
            return kind(value) if isinstance(value, str) else value
        except ValueError:
            return value

    return BeforeValidator(number)


Text = Annotated[str, Strict()]
Switch = Annotated[
    bool, Strict(), BeforeValidator(lambda value: WORDS.get(value.lower(), value) if isinstance(value, str) else value)
]
Whole = Annotated[int, Strict(), parse_text(int)]
Number = Annotated[float, Strict(), parse_text(float)]

Share = Annotated[Number, Field(ge=0, le=1)]
Mask = Annotated[Number, Field(ge=0, le=0.9)]
Decibels = Annotated[Number, Field(ge=0, le=24)]
Semitones = Annotated[Number, Field(ge=0, le=6)]
Percent = Annotated[Number, Field(ge=0, le=30)]
Weight = Annotated[Number, Field(ge=0, le=100)]
Epochs = Annotated[Whole, Field(ge=1, le=100_000)]


@dataclass(frozen=True, config=CHECKED)
class SegmentSettings:
    """The windows of a song: `segments_per_song` windows of `seconds`, spread over it.

    `hop_seconds` is the step between windows where a whole song is covered densely; `hpss` separates sustained and
    struck sounds.
    """

    seconds: Annotated[Number, Field(ge=1, le=600)] = 18.0
    hop_seconds: Annotated[Number, Field(gt=0, le=600)] = 4.0
    segments_per_song: Annotated[Whole, Field(ge=1, le=1000)] = 4
    hpss: Switch = True


@dataclass(frozen=True, config=CHECKED)
class DataSettings:
    """The music to train on.

    `root` is a folder of music, `pairs_json` a file of lists of songs that belong together. `scan_root` takes every
    audio file under root; `use_unlabeled` keeps songs without pairs, which still give positives from their own
    windows. `held_out` is the share of songs that is never trained on, and that early stopping and `evaluate` look
    at: whole albums and artists.
    """

    root: Text = ""
    pairs_json: Text = ""
    scan_root: Switch = True
    use_unlabeled: Switch = True
    held_out: Annotated[Number, Field(ge=0.05, le=0.5)] = 0.2
    segment: SegmentSettings = SegmentSettings()


@dataclass(frozen=True, config=CHECKED)
class CacheSettings:
    """The cache of features between epochs and runs.

    `preload_ram` reads the cache into memory before the first epoch; `reuse_ram_across_trials` keeps that memory
    between the trials of a search in one process.
    """

    backend: Literal["sqlite", "ram"] = "sqlite"
    preload_ram: Switch = True
    reuse_ram_across_trials: Switch = False


@dataclass(frozen=True, config=CHECKED)
class MelSettings:
    sr: Annotated[Whole, Field(ge=8000, le=192_000)] = 44100
    n_mels: Annotated[Whole, Field(ge=8, le=512)] = 160
    hop_ms: Annotated[Number, Field(ge=1, le=65)] = 20.0  # no longer than a spectrum, whatever the rate


@dataclass(frozen=True, config=CHECKED)
class ChromaSettings:
    bins: Annotated[Whole, Field(ge=12, le=120, multiple_of=12)] = 24


@dataclass(frozen=True, config=CHECKED)
class TempoSettings:
    win: Annotated[Whole, Field(ge=16, le=4096)] = 320


@dataclass(frozen=True, config=CHECKED)
class FeatureSettings:
    """The features: log-mel bands, pitch classes of an octave, lags of the tempo envelope.

    `semantic` adds the input of musicnn, `instrumentation` that of YAMNet, which no other setting changes. Their
    networks begin with random weights, as all do; the published ones are in the default model alone, which has a recipe
    of its own.
    """

    mel: MelSettings = MelSettings()
    chroma: ChromaSettings = ChromaSettings()
    tempo: TempoSettings = TempoSettings()
    semantic: Switch = False
    instrumentation: Switch = False


Backbone = Literal["plain", "residual"]


@dataclass(frozen=True, config=CHECKED)
class BackboneSettings:
    """The kind of each modality's network."""

    timbre: Backbone = "plain"
    harmony: Backbone = "plain"
    rhythm: Backbone = "plain"


@dataclass(frozen=True, config=CHECKED)
class FusionSettings:
    mode: Literal["gated_add", "gated_concat", "cross_attention"] = "gated_add"
    embed_dim: Annotated[Whole, Field(ge=8, le=4096)] = 512


@dataclass(frozen=True, config=CHECKED)
class EarlyStopping:
    """Stop when `monitor` has not become better by `min_delta` for `patience` epochs; keep the best epoch's weights."""

    enabled: Switch = True
    monitor: Literal["recall@1", "recall@5", "recall@10", "recall@20", "mrr", "map", "loss"] = "recall@5"
    mode: Literal["max", "min"] = "max"
    patience: Epochs = 10
    min_delta: Share = 0.0005
    restore_best: Switch = True


@dataclass(frozen=True, config=CHECKED)
class AudioAugmentSettings:
    """Limits of the changes of augmented audio, computed with the features; zero switches a change off.

    There are `views` such versions of every window. Up to `gain_db` of level and `tilt_db` between the lowest and the
    highest frequency, up to `pitch_semitones` and `tempo_percent`, in either direction. `codec` is the share of windows
    that pass through a codec (MP3, AAC, Opus or Vorbis, as far as PyAV has them, at 40 to 80 kbit/s), `mix` the share
    that gets another window of the same song on top, 6 to 12 dB lower.
    """

    views: Annotated[Whole, Field(ge=0, le=16)] = 0  # a view's number is the last byte of its key
    gain_db: Decibels = 6.0
    tilt_db: Decibels = 6.0
    pitch_semitones: Semitones = 0.5
    tempo_percent: Percent = 3.0
    codec: Share = 0.5
    mix: Share = 0.0


@dataclass(frozen=True, config=CHECKED)
class AugmentSettings:
    """Limits of the changes of a view; zero switches a change off.

    `gain_db` of level, `tilt_db` and `curve_db` of a random equaliser, `band_mask` and `time_mask` the largest blanked
    shares (SpecAugment), `pitch_semitones` and `tempo_percent` small shifts, `mix` the largest share of another song
    mixed in, `codec` the share of views that lose their treble as in a lossy codec, `chroma_noise` and `rhythm_noise`
    deviations of added noise: all on features, for every view anew. `audio` changes the audio itself, once.
    """

    gain_db: Decibels = 0.0
    tilt_db: Decibels = 6.0
    curve_db: Decibels = 3.0
    band_mask: Mask = 0.15
    time_mask: Mask = 0.15
    pitch_semitones: Semitones = 0.0
    tempo_percent: Percent = 0.0
    mix: Annotated[Number, Field(ge=0, le=0.5)] = 0.0
    codec: Share = 0.0
    chroma_noise: Share = 0.05
    rhythm_noise: Share = 0.03
    audio: AudioAugmentSettings = AudioAugmentSettings()


@dataclass(frozen=True, config=CHECKED)
class TrainSettings:
    """The training of a network.

    A batch holds `batch_identities` songs with `views_per_song` cuts of `crop_seconds` each. The loss draws the
    windows of a song together, plus `group_weight` times the same for songs of one album and artist, plus
    `facet_weight` times both for each facet alone. Gates learn `gate_speed` times as fast as the rest: they are few,
    and a few hundred steps would leave them where they began. `accumulate_steps` batches make one step.
    """

    use_amp: Switch = True
    optimizer: Literal["adamw"] = "adamw"
    lr: Annotated[Number, Field(gt=0, le=1)] = 1.6e-4
    weight_decay: Share = 2e-2
    epochs: Epochs = 140
    warmup_epochs: Annotated[Whole, Field(ge=0, le=100_000)] = 10
    batch_identities: Annotated[Whole, Field(ge=2, le=4096)] = 96
    views_per_song: Annotated[Whole, Field(ge=2, le=64)] = 4
    crop_seconds: Annotated[Number, Field(ge=0.5, le=600)] = 6.0
    loss: Literal["supcon", "triplet", "contrastive"] = "supcon"
    temperature: Annotated[Number, Field(ge=0.001, le=10)] = 0.05
    margin: Annotated[Number, Field(gt=0, le=4)] = 0.2  # squared distances of unit vectors are at most 4
    group_weight: Weight = 1.0
    facet_weight: Weight = 0.3
    gate_speed: Annotated[Number, Field(ge=0, le=1000)] = 20.0
    gradient_checkpointing: Switch = False
    accumulate_steps: Annotated[Whole, Field(ge=1, le=1000)] = 1
    seed: Annotated[Whole, Field(ge=0, le=2**32 - 1)] = 0
    early_stopping: EarlyStopping = EarlyStopping()


@dataclass(frozen=True, config=CHECKED)
class Config:
    """All settings of a training run."""

    data: DataSettings = DataSettings()
    cache: CacheSettings = CacheSettings()
    features: FeatureSettings = FeatureSettings()
    model: BackboneSettings = BackboneSettings()
    fusion: FusionSettings = FusionSettings()
    augment: AugmentSettings = AugmentSettings()
    train: TrainSettings = TrainSettings()

    @property
    def spec(self) -> FeatureSpec:
        """The front end that these settings describe."""
        mel, segment = self.features.mel, self.data.segment
        framing = Framing(
            rate=mel.sr,
            n_fft=2 ** round(math.log2(ANALYSIS_SECONDS * mel.sr)),
            hop=round(mel.sr * mel.hop_ms / 1000),
            n_mels=mel.n_mels,
        )
        return FeatureSpec(
            decoding=Decoding(mel.sr, segment.seconds, segment.hop_seconds, segment.segments_per_song),
            hpss=segment.hpss,
            timbre=TimbreSpec(framing),
            harmony=HarmonySpec(framing, self.features.chroma.bins),
            rhythm=RhythmSpec(framing, self.features.tempo.win),
            semantic=SemanticSpec() if self.features.semantic else None,
            instrumentation=InstrumentationSpec() if self.features.instrumentation else None,
        )
