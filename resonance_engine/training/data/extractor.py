"""The child process of `precompute`: computes the features of files and of augmented versions of their audio.

    python -m resonance_engine.training.data.extractor SPEC AUDIO     (the spec and the audio's changes as JSON)

Speaks as `listener` does; a file's features come by modality, those of its audio views with their number before it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from resonance_engine.training.config.settings import AudioAugmentSettings
from resonance_engine.worker.protocol import Message
from resonance_engine.worker.server import identify, run_server

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.worker.server import Verbs


def view_key(key: bytes, view: int) -> bytes:
    """Return the key of the features of a song's audio view; views count from 1."""
    return key + bytes([view])


def view_array(view: int, modality: str) -> str:
    """Return the name of an audio view's features of a modality in a message."""
    return f"{view}:{modality}"


def views_maker(audio: AudioAugmentSettings) -> str:
    """Return the maker of audio views: the augmentation's version and limits, which decide the views of a recording."""
    from resonance_engine.training.augmentation.audio_augment import AUGMENT_VERSION

    amounts = {name: value for name, value in asdict(audio).items() if name != "views"}
    return f"scipy {AUGMENT_VERSION} {json.dumps(amounts, sort_keys=True)}"


def load_extractor(spec_json: str, audio: AudioAugmentSettings) -> tuple[Message, Verbs]:
    """Return the description of the extractor and its verbs."""
    from resonance_engine.audio.windows import content_key, read_windows
    from resonance_engine.features.front_end import FrontEnd
    from resonance_engine.features.spec import FeatureSpec

    spec = FeatureSpec.from_json(spec_json)
    front_end = FrontEnd(spec)

    def features(path: Path) -> Message:
        windows = read_windows(path, spec.decoding).windows
        arrays = front_end(windows)
        if audio.views:
            from resonance_engine.training.augmentation.audio_augment import augment_audio

            versions = augment_audio(windows, spec.decoding.rate, audio, content_key(path))
            for view, samples in enumerate(versions, 1):
                arrays |= {view_array(view, name): values for name, values in front_end(samples).items()}
        return Message({}, arrays)

    return Message({"maker": views_maker(audio) if audio.views else ""}), {"identify": identify, "features": features}


def main() -> None:
    run_server(lambda: load_extractor(sys.argv[1], AudioAugmentSettings(**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
