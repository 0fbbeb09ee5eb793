"""Numbers of a mel spectrogram of any kind; `features.spec.Framing` has those of this project's own networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.features.mel_scale import SCALES, mel_edges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TAPERS = ("hann", "symmetric-hann", "hamming")
NORMALISATIONS = ("none", "area")
SLOPES = ("hz", "mel")
SPECTRA = ("magnitude", "power")
PADDINGS = ("none", "zero", "reflect")


@dataclass(frozen=True)
class MelFraming:
    """A mel spectrogram: a tapered window of samples every `hop`, its FFT of `n_fft`, and triangular bands over that.

    `n_mels` bands lie between `lowest` and `highest` Hz, evenly spaced on the mel scale `scale` (slaney or htk). Their
    slopes are straight in Hz, as librosa's and torchaudio's are, or in mel, as TensorFlow's are. A band's peak is 1
    (`normalisation` none) or 2 / its width in Hz (area, librosa's "slaney"). The bands sum the bins' `spectrum`,
    magnitude or power. `taper` is the periodic Hann window (scipy's fftbins, librosa, torch), the symmetric one (numpy,
    Essentia), or the periodic Hamming window. With `padding` none, the first frame begins at the first sample; with
    zero or reflect, frames are centred on the samples 0, hop, 2 hop, ..., and the ends are filled up with silence or
    mirrored.
    """

    rate: int
    n_fft: int
    window: int
    hop: int
    n_mels: int
    lowest: float
    highest: float
    scale: str = "slaney"
    slopes: str = "hz"
    normalisation: str = "area"
    spectrum: str = "power"
    taper: str = "hann"
    padding: str = "zero"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("rate", 8000, 192000),
            ("n_fft", 64, 65536),
            ("window", 16, self.n_fft),
            ("hop", 1, 65536),
            ("n_mels", 2, self.n_fft // 2),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} should be {low} to {high}, not {value}")
        if self.n_fft % 2:
            raise ValueError(f"n_fft should be even, not {self.n_fft}")
        # 0 and 0.0 are equal, and must be the same text in JSON too.
        object.__setattr__(self, "lowest", float(self.lowest))
        object.__setattr__(self, "highest", float(self.highest))
        if not 0 <= self.lowest < self.highest <= self.rate / 2:
            raise ValueError(
                f"lowest and highest should rise from 0 to half of the rate, {self.rate / 2:g} Hz, "
                f"not from {self.lowest:g} to {self.highest:g}"
            )
        for name, choices in (
            ("scale", SCALES),
            ("slopes", SLOPES),
            ("normalisation", NORMALISATIONS),
            ("spectrum", SPECTRA),
            ("taper", TAPERS),
            ("padding", PADDINGS),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} should be one of {', '.join(choices)}, not {getattr(self, name)!r}")

    def frames(self, samples: int) -> int:
        """Count the frames of a signal of `samples` samples: whole windows, or one per hop where they are centred."""
        if self.padding == "none":
            return max(0, samples - self.window + self.hop) // self.hop
        return 1 + samples // self.hop

    def edges(self) -> NDArray[np.float64]:
        """Return the edges of the mel bands in Hz; band i spans edges i to i + 2."""
        return mel_edges(self.lowest, self.highest, self.n_mels, self.scale)
