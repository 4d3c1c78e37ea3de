"""Answers of torchtext 0.18, run by scripts/check_torchtext.py in an environment of its own: JSON lines in and out."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torchtext

torchtext.disable_torchtext_deprecation_warning()
from torchtext.data.utils import get_tokenizer  # noqa: E402  it warns when imported
from torchtext.vocab import build_vocab_from_iterator  # noqa: E402

basic_english = get_tokenizer("basic_english")


def versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchtext": torchtext.__version__,
        "numpy": np.__version__,
    }


def tokens(strings: list[str]) -> list[list[str]]:
    return [basic_english(string) for string in strings]


def none_split(strings: list[str]) -> list[list[str]]:
    return [get_tokenizer(None)(string) for string in strings]


def seconds(strings: list[str]) -> float:
    began = time.process_time()
    for string in strings:
        basic_english(string)
    return time.process_time() - began


def vocab(texts: list[list[str]], kwargs: dict[str, Any], calls: list[list[Any]]) -> Any:
    """What a vocabulary holds and what its methods answer, one after the other; errors by their kind."""
    try:
        made = build_vocab_from_iterator(texts, **kwargs)
    except Exception as error:  # noqa: BLE001  the kind is the answer
        return {"error": type(error).__name__}
    itos = made.get_itos()
    return {"itos": itos, "calls": [answer(made, *call) for call in calls]}


def answer(made: Any, method: str, *arguments: Any) -> Any:
    try:
        return getattr(made, method)(*arguments)
    except Exception as error:  # noqa: BLE001  the kind is the answer
        return {"error": type(error).__name__}


QUESTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (versions, tokens, none_split, seconds, vocab)
}

for line in sys.stdin:
    name, arguments = json.loads(line)
    print(json.dumps(QUESTIONS[name](*arguments)), flush=True)
