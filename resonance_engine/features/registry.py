"""The registry of modalities: the extractor of each kind of spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resonance_engine.features.harmony import chroma
from resonance_engine.features.rhythm import tempo_envelope
from resonance_engine.features.spec import HarmonySpec, ModalitySpec, RhythmSpec, SemanticSpec, TimbreSpec
from resonance_engine.features.timbre import log_mel

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonance_engine.features.filters import Array
    from resonance_engine.features.spectrum import Spectra

EXTRACTORS: dict[type[ModalitySpec], Callable[[Spectra, Any], Array]] = {
    TimbreSpec: log_mel,
    HarmonySpec: chroma,
    RhythmSpec: tempo_envelope,
    SemanticSpec: log_mel,
}
