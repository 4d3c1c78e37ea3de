"""The tokens of the vocabulary that a run kept, whatever kind of encoder it is."""

from __future__ import annotations

from collections.abc import Callable

from dlcourse.text.characters import KIND, CharacterEncoder, read_characters
from dlcourse.text.encoders import Encoder, read_encoder
from dlcourse.text.stored import read_back

_READERS: dict[object, Callable[[str], CharacterEncoder | Encoder]] = {KIND: read_characters}


def kept_tokens(text: str) -> list[str]:
    """All tokens in the order of their ids, from what an encoder's `to_json` wrote.

    Raises:
        CheckpointError: the text is damaged or something else.
        ConfigError: the library behind the encoder is not installed.
    """
    encoder = _READERS.get(read_back(text).get("kind"), read_encoder)(text)
    return [encoder.token(index) for index in range(encoder.size)]
