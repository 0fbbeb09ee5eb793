"""Specs of decoding and features: the numbers that travel with a model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, get_args, get_type_hints

from resonance_engine.errors import ModelError
from resonance_engine.features.mel_framing import MelFraming
from resonance_engine.features.mel_scale import mel_edges
from resonance_engine.records import parse_record, parse_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Part of a model's identity: rises whenever the same spec gives other numbers.
FRONT_END_VERSION = 1


def band_edges(rate: int, n_mels: int) -> NDArray[np.float64]:
    """Return n_mels + 2 frequencies in Hz, evenly spaced in mel, 0 to rate / 2; band i spans edges i to i + 2."""
    return mel_edges(0.0, rate / 2, n_mels)


def _require(possible: bool, sentence: str) -> None:
    if not possible:
        raise ValueError(sentence)


@dataclass(frozen=True)
class Decoding:
    """The parts of a recording that are decoded: `windows` windows of `seconds`, mono, at `rate` Hz.

    `hop_seconds` is the step between windows where a whole recording is covered densely.
    """

    rate: int = 44100
    seconds: float = 18.0
    hop_seconds: float = 4.0
    windows: int = 4

    def __post_init__(self) -> None:
        _require(8000 <= self.rate <= 192000, f"rate must be 8000 to 192000 Hz, not {self.rate}")
        _require(0 < self.seconds <= 600, f"seconds must be above 0, at most 600, not {self.seconds}")
        _require(0 < self.hop_seconds <= 600, f"hop_seconds must be above 0, at most 600, not {self.hop_seconds}")
        _require(1 <= self.windows <= 1000, f"windows must be 1 to 1000, not {self.windows}")
        # 18 and 18.0 are equal, and must be the same text in JSON too.
        object.__setattr__(self, "seconds", float(self.seconds))
        object.__setattr__(self, "hop_seconds", float(self.hop_seconds))

    @property
    def samples(self) -> int:
        """Samples of one window."""
        return self.samples_at(self.rate)

    def samples_at(self, rate: int) -> int:
        """Return the number of samples of one window that is resampled to `rate` Hz."""
        return round(rate * self.seconds)


@dataclass(frozen=True)
class Framing:
    """The spectrogram that a modality starts from: `n_fft` samples every `hop`, in `n_mels` mel bands."""

    rate: int = 44100
    n_fft: int = 4096
    hop: int = 882
    n_mels: int = 160

    def __post_init__(self) -> None:
        _require(8000 <= self.rate <= 192000, f"rate must be 8000 to 192000 Hz, not {self.rate}")
        _require(
            64 <= self.n_fft <= 65536 and self.n_fft % 2 == 0,
            f"n_fft must be even and 64 to 65536, not {self.n_fft}",
        )
        _require(1 <= self.hop <= self.n_fft, f"hop must be 1 to n_fft ({self.n_fft}), not {self.hop}")
        _require(2 <= self.n_mels <= self.n_fft // 2, f"n_mels must be 2 to n_fft / 2, not {self.n_mels}")
        low, _, high = band_edges(self.rate, self.n_mels)[:3]
        _require(
            high - low > self.rate / self.n_fft,
            f"n_mels = {self.n_mels} leaves bands without a single frequency; take fewer or a longer n_fft",
        )

    def frames(self, samples: int) -> int:
        """Count the frames of a signal: centred on the samples 0, hop, 2 hop, ... that lie before its end."""
        return samples // self.hop

    def edges(self) -> NDArray[np.float64]:
        """Return the edges of the mel bands in Hz; band i spans edges i to i + 2."""
        return band_edges(self.rate, self.n_mels)


@dataclass(frozen=True)
class ModalitySpec:
    """One modality of the music; each kind adds its own numbers."""

    timed: ClassVar[bool] = True
    """Whether the last axis of the feature is time, in frames."""

    framing: Framing | MelFraming = Framing()

    def shape(self, decoding: Decoding) -> tuple[int, ...]:
        """Return the shape of the feature of one window."""
        raise NotImplementedError

    def frames(self, decoding: Decoding) -> int:
        """Return the frames that the framing cuts one window into."""
        return self.framing.frames(decoding.samples_at(self.framing.rate))


@dataclass(frozen=True)
class LogMelSpec(ModalitySpec):
    """A modality whose feature is the log-mel spectrogram, in dB."""

    def shape(self, decoding: Decoding) -> tuple[int, ...]:
        """Return (mel bands, frames)."""
        return self.framing.n_mels, self.frames(decoding)


@dataclass(frozen=True)
class TimbreSpec(LogMelSpec):
    """Timbre: log-mel spectrogram."""

    framing: Framing = Framing()


@dataclass(frozen=True)
class HarmonySpec(ModalitySpec):
    """Harmony: chromagram of `bins` pitch classes an octave, from C upwards."""

    framing: Framing = Framing()
    bins: int = 24

    def __post_init__(self) -> None:
        _require(self.bins in range(12, 121, 12), f"bins must be a multiple of 12 up to 120, not {self.bins}")

    def shape(self, decoding: Decoding) -> tuple[int, ...]:
        """Return (pitch classes, frames)."""
        return self.bins, self.frames(decoding)


@dataclass(frozen=True)
class RhythmSpec(ModalitySpec):
    """Rhythm: time-averaged autocorrelation tempogram of the onset strength, `lags` lags in hops."""

    timed: ClassVar[bool] = False

    framing: Framing = Framing()
    lags: int = 320

    def __post_init__(self) -> None:
        _require(16 <= self.lags <= 4096, f"lags must be 16 to 4096, not {self.lags}")

    def shape(self, decoding: Decoding) -> tuple[int, ...]:  # noqa: ARG002 - the same for windows of any length
        """Return (lags,)."""
        return (self.lags,)


@dataclass(frozen=True)
class SemanticSpec(LogMelSpec):
    """Semantic: the log-mel spectrogram that musicnn tags (Pons & Serra 2019), but in dB."""

    framing: Framing = Framing(rate=16000, n_fft=512, hop=256, n_mels=96)


YAMNET = MelFraming(
    rate=16000,
    n_fft=512,
    window=400,
    hop=160,
    n_mels=64,
    lowest=125,
    highest=7500,
    scale="htk",
    slopes="mel",
    normalisation="none",
    spectrum="magnitude",
    padding="none",
)


@dataclass(frozen=True)
class InstrumentationSpec(LogMelSpec):
    """Instrumentation: the mel spectrogram that YAMNet classifies (Plakal & Ellis 2020), but in dB."""

    framing: MelFraming = YAMNET


@dataclass(frozen=True)
class FeatureSpec:
    """All numbers between a file and the encoder; a modality that is None is not measured.

    With `hpss`, harmony is computed from the sustained part of the sound alone, rhythm from the percussive.
    A framing may have a lower rate than the decoding; the sound is then resampled to it.
    """

    decoding: Decoding = Decoding()
    hpss: bool = True
    timbre: TimbreSpec | None = TimbreSpec()
    harmony: HarmonySpec | None = HarmonySpec()
    rhythm: RhythmSpec | None = RhythmSpec()
    semantic: SemanticSpec | None = None
    instrumentation: InstrumentationSpec | None = None

    def __post_init__(self) -> None:
        _require(bool(self.modalities), "at least one modality is needed")
        for name, spec in self.modalities.items():
            _require(
                spec.framing.rate <= self.decoding.rate,
                f"{name}: framing.rate must be at most the decoding's, {self.decoding.rate}, not {spec.framing.rate}",
            )
            _require(min(spec.shape(self.decoding)) >= 1, f"{name}: hop is longer than a window")

    @property
    def modalities(self) -> dict[str, ModalitySpec]:
        """The specs of the modalities that are computed, by name, in a fixed order."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if isinstance(value, ModalitySpec)}

    def to_json(self) -> str:
        """Return canonical JSON: the same text for equal specs; modalities that are not measured do not appear."""
        document = {
            "decoding": asdict(self.decoding),
            "hpss": self.hpss,
            "modalities": {name: asdict(spec) for name, spec in self.modalities.items()},
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FeatureSpec:
        """Read the spec that `to_json` wrote; raises ModelError if this program cannot compute it."""
        try:
            document = _exactly({"decoding", "hpss", "modalities"}, json.loads(text), "the spec")
            return cls(
                decoding=parse_record(Decoding, document["decoding"], "decoding", require_all=True),
                hpss=parse_value(bool, document["hpss"], "hpss"),
                **_modalities(cls, document["modalities"]),
            )
        except (ValueError, OverflowError, RecursionError) as error:
            raise ModelError(
                f"The model's feature spec cannot be used: {error}. "
                "Update Resonance if the model is newer than it, or install the model again."
            ) from error

    def digest(self) -> str:
        """Return the hash of the canonical JSON: 32 hexadecimal digits."""
        return hashlib.blake2b(self.to_json().encode(), digest_size=16).hexdigest()


def _modalities(spec: type[FeatureSpec], value: object) -> dict[str, Any]:
    """Parse every modality that `spec` has a field for; None where the document lacks it."""
    known = {
        name: kind
        for name, hint in get_type_hints(spec).items()
        for kind in get_args(hint)
        if isinstance(kind, type) and issubclass(kind, ModalitySpec)
    }
    given: dict[str, Any] = parse_value(dict[str, Any], value, "modalities")
    unknown = sorted(set(given) - set(known))
    _require(not unknown, f"unknown modality {', '.join(unknown)} (known: {', '.join(known)})")
    return {
        name: parse_record(kind, given[name], f"modalities.{name}", require_all=True) if name in given else None
        for name, kind in known.items()
    }


def _exactly(names: set[str], value: object, where: str) -> dict[str, Any]:
    """`value` as an object with these keys, no more and no fewer."""
    given: dict[str, Any] = parse_value(dict[str, Any], value, where)
    for problem, keys in (("lacks", names - set(given)), ("has the unknown key", set(given) - names)):
        _require(not keys, f"{where} {problem} {', '.join(sorted(keys))}")
    return given
