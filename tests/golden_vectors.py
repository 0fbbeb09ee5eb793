"""What the shipped model gave for fixed features, so that a change of its numbers cannot go unnoticed.

python -m tests.golden_vectors      (writes encoder_golden.npz anew, after a new model was shipped on purpose)
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.encoder.encoder import Encoder
from resonance_engine.features.spec import LogMelSpec
from resonance_engine.files import write_bytes
from tests.paths import DATA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.features.spec import FeatureSpec

PATH = DATA / "encoder_golden.npz"
WINDOWS = 3


def inputs(spec: FeatureSpec) -> dict[str, NDArray[np.float32]]:
    """Smooth random features, 0 to 1, log-mel from -90 to -10 dB; the stream of RandomState is frozen for good."""
    random = np.random.RandomState(0)
    arrays = {}
    for name, each in spec.modalities.items():
        values = random.random_sample((WINDOWS, *each.shape(spec.decoding)))
        smooth = (values + np.roll(values, 1, axis=-1) + np.roll(values, 2, axis=-1)) / 3
        arrays[name] = (80 * smooth - 90 if isinstance(each, LogMelSpec) else smooth).astype(np.float32)
    return arrays


def outputs(encoder: Encoder) -> dict[str, NDArray[Any]]:
    """What is compared: the model's id, and all that it hears."""
    embedding = encoder.embed(inputs(encoder.manifest.spec))
    tags = {"tags": np.array(list(embedding.tags.values()), np.float32)} if embedding.tags else {}
    return {
        "id": np.array(encoder.manifest.id),
        "embedding": embedding.vector,
        "facets": np.stack(list(embedding.facets.values())),
        "gates": np.array(list(embedding.gates.values()), np.float32),
        "windows": embedding.windows.vectors,
        **tags,
    }


def main() -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **outputs(Encoder()))
    write_bytes(PATH, buffer.getvalue())


if __name__ == "__main__":
    main()
