"""What a training run can be told: the only defaults, as frozen dataclasses.

`config/base.yaml` shows them all; `settings.config_file` reads such a file and checks it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from resonance_engine.features.spec import FeatureSpec

ANALYSIS_SECONDS = 0.093  # length of a spectrum: 4096 samples at 44.1 kHz


@dataclass(frozen=True)
class Segment:
    """What is heard of a song: `segments_per_song` windows of `seconds`, spread over it.

    `hop_seconds` is the step between windows where a whole song is covered densely; `hpss` parts sustained from struck
    sounds.
    """

    seconds: float = 18.0
    hop_seconds: float = 4.0
    segments_per_song: int = 4
    hpss: bool = True


@dataclass(frozen=True)
class Data:
    """Which music is learned from.

    `root` is a folder of music, `pairs_json` a file of lists of songs that belong together. `scan_root` takes every
    audio file under root; `use_unlabeled` keeps songs without pairs, which still give positives from their own
    windows. `held_out` is the share of songs that is never trained on, and that early stopping and `evaluate` look
    at: whole albums and artists.
    """

    root: str = ""
    pairs_json: str = ""
    scan_root: bool = True
    use_unlabeled: bool = True
    held_out: float = 0.2
    segment: Segment = field(default_factory=Segment)


@dataclass(frozen=True)
class Cache:
    """Where features are kept between epochs and runs.

    `preload_ram` reads the cache into memory before the first epoch; `reuse_ram_across_trials` keeps that memory
    between the trials of a search in one process.
    """

    backend: Literal["sqlite", "ram"] = "sqlite"
    preload_ram: bool = True
    reuse_ram_across_trials: bool = False


@dataclass(frozen=True)
class Mel:
    sr: int = 44100
    n_mels: int = 160
    hop_ms: float = 20.0


@dataclass(frozen=True)
class Chroma:
    bins: int = 24


@dataclass(frozen=True)
class Tempo:
    win: int = 320


@dataclass(frozen=True)
class Features:
    """What is measured: log-mel bands, pitch classes of an octave, lags of the tempo envelope.

    `semantic` adds what musicnn listens to, the same whatever the other settings are. Its network begins with random
    weights, as all do; the published ones are in the default model alone, which has a recipe of its own.
    """

    mel: Mel = field(default_factory=Mel)
    chroma: Chroma = field(default_factory=Chroma)
    tempo: Tempo = field(default_factory=Tempo)
    semantic: bool = False


Backbone = Literal["plain", "residual"]


@dataclass(frozen=True)
class Backbones:
    """The kind of each modality's network."""

    timbre: Backbone = "plain"
    harmony: Backbone = "plain"
    rhythm: Backbone = "plain"


@dataclass(frozen=True)
class Fusion:
    mode: Literal["gated_add", "gated_concat", "cross_attention"] = "gated_add"
    embed_dim: int = 512


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `monitor` has not become better by `min_delta` for `patience` epochs; keep the best epoch's weights."""

    enabled: bool = True
    monitor: Literal["recall@1", "recall@5", "recall@10", "recall@20", "mrr", "map", "loss"] = "recall@5"
    mode: Literal["max", "min"] = "max"
    patience: int = 10
    min_delta: float = 0.0005
    restore_best: bool = True


@dataclass(frozen=True)
class AudioAugment:
    """How much changed versions of the audio, made with the features, may differ; zero switches a change off.

    There are `views` such versions of every window. Up to `gain_db` of level and `tilt_db` between the lowest and the
    highest frequency, up to `pitch_semitones` and `tempo_percent`, in either direction. `codec` is the share of windows
    that pass through a codec (MP3, AAC, Opus or Vorbis, as far as PyAV has them, at 40 to 80 kbit/s), `mix` the share
    that gets another window of the same song on top, 6 to 12 dB lower.
    """

    views: int = 0
    gain_db: float = 6.0
    tilt_db: float = 6.0
    pitch_semitones: float = 0.5
    tempo_percent: float = 3.0
    codec: float = 0.5
    mix: float = 0.0


@dataclass(frozen=True)
class Augment:
    """How much two views of the same music may differ; zero switches a change off.

    `gain_db` of level, `tilt_db` and `curve_db` of a random equaliser, `band_mask` and `time_mask` the largest blanked
    shares (SpecAugment), `pitch_semitones` and `tempo_percent` small shifts, `mix` the largest share of another song
    mixed in, `codec` the share of views that lose their treble as in a lossy codec, `chroma_noise` and `rhythm_noise`
    deviations of added noise: all on features, for every view anew. `audio` changes the sound itself, once.
    """

    gain_db: float = 0.0
    tilt_db: float = 6.0
    curve_db: float = 3.0
    band_mask: float = 0.15
    time_mask: float = 0.15
    pitch_semitones: float = 0.0
    tempo_percent: float = 0.0
    mix: float = 0.0
    codec: float = 0.0
    chroma_noise: float = 0.05
    rhythm_noise: float = 0.03
    audio: AudioAugment = field(default_factory=AudioAugment)


@dataclass(frozen=True)
class Train:
    """How a network is trained.

    A batch holds `batch_identities` songs with `views_per_song` cuts of `crop_seconds` each. The loss draws the
    windows of a song together, plus `group_weight` times the same for songs of one album and artist, plus
    `facet_weight` times both for each facet alone. Gates learn `gate_speed` times as fast as the rest: they are few,
    and a few hundred steps would leave them where they began. `accumulate_steps` batches make one step.
    """

    use_amp: bool = True
    optimizer: Literal["adamw"] = "adamw"
    lr: float = 1.6e-4
    weight_decay: float = 2e-2
    epochs: int = 140
    warmup_epochs: int = 10
    batch_identities: int = 96
    views_per_song: int = 4
    crop_seconds: float = 6.0
    loss: Literal["supcon", "triplet", "contrastive"] = "supcon"
    temperature: float = 0.05
    margin: float = 0.2
    group_weight: float = 1.0
    facet_weight: float = 0.3
    gate_speed: float = 20.0
    gradient_checkpointing: bool = False
    accumulate_steps: int = 1
    seed: int = 0
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)


@dataclass(frozen=True)
class Config:
    """Everything about a training run."""

    data: Data = field(default_factory=Data)
    cache: Cache = field(default_factory=Cache)
    features: Features = field(default_factory=Features)
    model: Backbones = field(default_factory=Backbones)
    fusion: Fusion = field(default_factory=Fusion)
    augment: Augment = field(default_factory=Augment)
    train: Train = field(default_factory=Train)

    @property
    def spec(self) -> FeatureSpec:
        """The front end that these settings describe."""
        # Whoever only starts processes that compute, or only shows help, need not load scipy.
        from resonance_engine.features.spec import (
            Decoding,
            FeatureSpec,
            Framing,
            HarmonySpec,
            RhythmSpec,
            SemanticSpec,
            TimbreSpec,
        )

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
        )
