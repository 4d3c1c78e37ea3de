"""Word embeddings from the words that stand nearby: PPMI and a truncated SVD (Levy, Goldberg and Dagan 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlcourse.data.base import Split
from dlcourse.errors import ConfigError
from dlcourse.text.ragged import Ragged

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CHUNK = 2**21  # tokens counted at a time; each gives as many 8-byte keys as the window has words
PAD = 0


@runtime_checkable
class HasCorpus(Protocol):
    """A split of texts."""

    def corpus(self) -> Ragged:
        """All documents that training may see, untruncated."""
        ...


def ppmi_svd(
    model: nn.Module,
    train: Split[Any],
    generator: torch.Generator,
    *,
    window: int = 5,
    smoothing: float = 0.75,
    shift: float = 1.0,
    power: float = 0.5,
    std: float = 0.1,
    iterations: int = 2,
) -> str:
    """Fill the word embeddings of `model` from all training documents, unlabelled ones included; says how.

    A word that stands nowhere gets zeros. Where there are fewer words than numbers in an embedding, the rest of the
    numbers keep the values that the model began with.

    Args:
        model: what is started; its table of words is `embedding` or `encoder.embedding`.
        train: texts.
        generator: seeds the randomised SVD.
        window: words on each side that count as nearby.
        smoothing: power of the counts of nearby words, which makes rare ones less surprising (section 3.2).
        shift: how many times more often than by chance two words must meet to count, 1 or more (section 3.2).
        power: power of the singular values: 0 weighs all directions alike, 1 is the plain SVD (section 3.3).
        std: root mean square of the embeddings' numbers, which sets their scale.
        iterations: power iterations of the SVD (Halko et al. 2011, algorithm 4.4).

    Raises:
        ValueError: an argument is out of range.
        ConfigError: the model has no table of words, or the data no texts.
    """
    for name, value, least in (
        ("window", window, 1),
        ("shift", shift, 1),
        ("power", power, 0),
        ("iterations", iterations, 0),
    ):
        if not least <= value < float("inf"):
            raise ValueError(f"{name} must be {least} or more, not {value}")
    for name, value in (("smoothing", smoothing), ("std", std)):
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be positive, not {value}")
    table = find_table(model)
    if not isinstance(train, HasCorpus):
        raise ConfigError("init: ppmi_svd needs texts, and the data has none")
    counts = nearby(train.corpus(), words=table.num_embeddings, window=window)
    present = np.flatnonzero(counts.sum(1))
    if not len(present):
        raise ConfigError("init: ppmi_svd needs documents of two words and more, and the data has none")
    matrix = ppmi(counts[present][:, present], smoothing=smoothing, shift=shift)
    size = min(table.embedding_dim, len(present))
    seed = int(torch.randint(2**31, (), generator=generator))
    vectors = embeddings(matrix, size=size, power=power, iterations=iterations, seed=seed)
    vectors *= std / max(float(np.sqrt((vectors**2).mean())), 1e-12)
    with torch.no_grad():
        rows = table.weight.new_zeros(table.num_embeddings, size)
        rows[torch.from_numpy(present)] = torch.from_numpy(vectors).to(rows)
        table.weight[:, :size] = rows
        table.weight[PAD] = 0.0
    return f"{size} numbers for {len(present):,} of {table.num_embeddings:,} words, from {matrix.nnz:,} pairs"


def find_table(model: nn.Module) -> nn.Embedding:
    """The model's table of words or characters: `embedding`, or that of its `encoder`.

    Raises:
        ConfigError: it has none.
    """
    for part in (model, getattr(model, "encoder", None)):
        table = getattr(part, "embedding", None)
        if isinstance(table, nn.Embedding):
            return table
    raise ConfigError(
        "init: ppmi_svd fills a table of words or characters, and the model has none (embedding or encoder.embedding)"
    )


def nearby(documents: Ragged, *, words: int, window: int) -> csr_array:
    """Float32 [words, words], symmetric: how often two words stand at most `window` apart in a document."""
    from scipy.sparse import coo_array, csr_array

    total = csr_array((words, words), dtype=np.float32)
    ends = documents.offsets[1:]
    for begin in range(0, len(documents.values), CHUNK):
        # The window reaches into the next chunk.
        ids = np.asarray(documents.values[begin : begin + CHUNK + window], dtype=np.int64)
        first = np.arange(begin, begin + len(ids))
        left = ends[np.searchsorted(ends, first, side="right")] - first  # words to the document's end, itself included
        keys: list[NDArray[np.int64]] = []
        for distance in range(1, min(window, len(ids) - 1) + 1):
            near = np.flatnonzero(left[: min(CHUNK, len(ids) - distance)] > distance)
            one, other = ids[near], ids[near + distance]
            keys.append(np.minimum(one, other) * words + np.maximum(one, other))
        pairs, numbers = np.unique(np.concatenate(keys or [ids[:0]]), return_counts=True)
        places = ((pairs // words).astype(np.int32), (pairs % words).astype(np.int32))
        total = total + coo_array((numbers.astype(np.float32), places), shape=total.shape).tocsr()
    return (total + total.T).tocsr()


def ppmi(counts: csr_array, *, smoothing: float, shift: float) -> csr_array:
    """Float32, as large: positive pointwise mutual information, nats, with smoothed contexts, less log(shift)."""
    rows = np.asarray(counts.sum(1), dtype=np.float64)
    contexts = np.asarray(counts.sum(0), dtype=np.float64) ** smoothing
    found = counts.tocsr().copy()
    offsets = np.repeat(np.log(rows), np.diff(found.indptr)) + np.log(contexts / contexts.sum())[found.indices]
    found.data = np.maximum(np.log(found.data) - offsets - np.log(shift), 0.0).astype(np.float32)
    found.eliminate_zeros()
    return found


def embeddings(matrix: csr_array, *, size: int, power: float, iterations: int, seed: int) -> NDArray[np.float32]:
    """Float32 [N, size]: left singular vectors times singular values to `power`."""
    from sklearn.utils.extmath import randomized_svd

    # Its stubs take the type of n_iter from the default, "auto".
    vectors, values, _ = randomized_svd(matrix, size, n_iter=iterations, random_state=seed)  # pyright: ignore[reportArgumentType]
    return (vectors * values**power).astype(np.float32)
