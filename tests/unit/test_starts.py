"""Start values: embeddings from counts, n-grams from naive Bayes, weights from another run; how init= names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from run_folders import make_run
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from torch import Tensor, nn

from dlcourse.config.build import bind
from dlcourse.config.check import check
from dlcourse.config.compose import compose
from dlcourse.config.overrides import split
from dlcourse.data.texts import TextSplit
from dlcourse.errors import ConfigError, UserError
from dlcourse.models.bigru_attention import BiGRUAttention
from dlcourse.models.ngrams import NgramBag
from dlcourse.models.poetry_lstm import PoetryLSTM
from dlcourse.models.text_lm import BiLanguageModel
from dlcourse.run.parts import assemble, start_values
from dlcourse.run.prepare import pinned
from dlcourse.text.characters import CharacterEncoder
from dlcourse.text.encoders import Encoder, build_encoder
from dlcourse.text.ragged import Ragged
from dlcourse.training import checkpoint
from dlcourse.training.starts import ppmi_svd as svd
from dlcourse.training.starts.from_run import from_run
from dlcourse.training.starts.log_unigram import log_unigram
from dlcourse.training.starts.nb_ngrams import nb_ngrams, pieces
from dlcourse.training.starts.ppmi_svd import ppmi_svd

WORDS = ["good", "bad", "film", "plot", "not", "very", "actor", "scene", "end", "dull"]


def texts(count: int = 60) -> tuple[list[str], list[int]]:
    """Reviews whose class shows in their words, and in which all words meet."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    found = [
        [*torch.randint(2, 10, (int(size),), generator=generator).tolist(), int(1 - label)]
        for size, label in zip(torch.randint(1, 12, (count,), generator=generator), labels, strict=True)
    ]
    return [" ".join(WORDS[word] for word in words) for words in found], labels.tolist()


def train_split(documents: list[str], labels: list[int], **more: Any) -> TextSplit:
    encoder = build_encoder(documents, tokenizer="words", max_tokens=50, min_freq=1)
    return TextSplit(encoder.encode_all(documents), torch.tensor(labels), ("neg", "pos"), encoder, **more)


def model(**changed: Any) -> BiGRUAttention:
    torch.manual_seed(0)
    given = {"vocab_size": 50, "num_classes": 2, "embedding_size": 4, "hidden_size": 3, "attention_size": 4}
    return BiGRUAttention(**(given | changed)).eval()


def wide(made: BiGRUAttention) -> NgramBag:
    assert made.wide is not None
    return made.wide


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


# ---------------------------------------------------------------- n-grams


@pytest.mark.parametrize("trained", [True, False])
def test_the_fitted_wide_path_is_scikit_learns_linear_model(trained: bool) -> None:
    documents, labels = texts()
    split = train_split(documents, labels, max_length=3)  # the model truncates, the fit does not
    network = model(ngrams=2, ngram_buckets=2**22, ngram_train=trained)
    nb_ngrams(network, split, generator(), alpha=0.5, c=2.0)

    counter = CountVectorizer(ngram_range=(1, 2), binary=True, token_pattern=r"\S+")
    counts = counter.fit_transform(documents)
    log_counts = MultinomialNB(alpha=0.5).fit(counts, labels).feature_log_prob_
    ratios = log_counts[1] - log_counts[0]
    linear = LogisticRegression(C=2.0, solver="liblinear", tol=1e-8, max_iter=10000)
    wanted = linear.fit(counts.multiply(ratios).tocsr(), labels)

    for text in [*documents[:5], "good good film", "never seen", "bad bad not good"]:
        tokens = torch.tensor([split.encoder.encode(text)])
        logits = wide(network)(tokens, torch.tensor([tokens.shape[1]]))[0]
        score = wanted.decision_function(counter.transform([text]).multiply(ratios))[0]
        assert float((logits[1] - logits[0]).detach()) == pytest.approx(score, abs=2e-3), text


def test_without_a_fit_the_weights_are_the_log_ratios() -> None:
    documents, labels = ["a b", "a c", "b b"], [1, 1, 0]
    network = model(ngrams=2, ngram_buckets=2**22)
    split = train_split(documents, labels)
    nb_ngrams(network, split, generator(), fit=False, factor=0.5)
    # Documents with: a 2|0, b 1|1, c 1|0, a-b 1|0, a-c 1|0, b-b 0|1; with one more of each 12 in sum against 8.
    logits = wide(network)(torch.tensor([split.encoder.encode("a")]), torch.tensor([1]))[0]
    assert float((logits[1] - logits[0]).detach()) == pytest.approx(0.5 * np.log((3 / 12) / (1 / 8)), abs=1e-6)


def test_of_several_classes_each_is_held_against_the_rest() -> None:
    documents = ["good film", "bad film", "dull film"] * 8
    split = train_split(documents, [0, 1, 2] * 8)
    network = model(num_classes=3, ngrams=2, ngram_buckets=4096)
    nb_ngrams(network, split, generator())
    tokens = split.documents.values.reshape(-1, 2)[:3]
    logits = wide(network)(torch.tensor(tokens, dtype=torch.int64), torch.tensor([2, 2, 2]))
    assert logits.argmax(1).tolist() == [0, 1, 2]


def test_unlabelled_documents_and_rare_ngrams_get_no_weight() -> None:
    split = train_split(["good film", "bad film", "secret film", "good plot"], [1, 0, -1, 1])
    network = model(ngrams=2, ngram_buckets=2**22)
    told = nb_ngrams(network, split, generator())
    # good, bad, film, plot; good-film, bad-film, good-plot.
    assert int((wide(network).table != 0).sum()) == 7
    assert told == "7 of 4,194,304 buckets from 3 documents"
    nb_ngrams(network, split, generator(), min_documents=2, fit=False)
    assert int((wide(network).table != 0).sum()) <= 2  # good and film


@given(st.lists(st.integers(0, 300_000), max_size=20))
def test_pieces_hold_every_document_once(lengths: list[int]) -> None:
    sizes = np.sort(np.array(lengths, dtype=np.int64))
    found = list(pieces(np.arange(len(sizes)), sizes))
    assert np.concatenate(found).tolist() == list(range(len(sizes)))
    assert all(len(part) == 1 or len(part) * sizes[part].max() <= 2**18 for part in found if len(part))


@pytest.mark.parametrize(("name", "value"), [("alpha", 0.0), ("c", -1.0), ("factor", 0.0), ("min_documents", 0)])
def test_ngram_arguments_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be positive"):
        nb_ngrams(model(ngrams=2, ngram_buckets=64), train_split(*texts(4)), generator(), **{name: value})


def test_a_model_without_ngrams_and_data_without_labels_are_told() -> None:
    with pytest.raises(ConfigError, match=r"say model.ngrams=2"):
        nb_ngrams(model(), train_split(*texts(4)), generator())
    with pytest.raises(ConfigError, match="needs texts with labels"):
        nb_ngrams(model(ngrams=2, ngram_buckets=64), train_split(["a b"], [-1]), generator())


# ---------------------------------------------------------------- embeddings


def brute_force(documents: list[list[int]], *, words: int, window: int) -> np.ndarray:
    counts = np.zeros((words, words))
    for document in documents:
        for place, word in enumerate(document):
            for other in range(max(0, place - window), min(len(document), place + window + 1)):
                counts[word, document[other]] += other != place
    return counts


@given(st.lists(st.lists(st.integers(0, 5), max_size=9), max_size=6), st.integers(1, 4), st.integers(1, 7))
def test_counting_in_chunks_is_counting_pair_by_pair(documents: list[list[int]], window: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svd, "CHUNK", chunk)
        found = svd.nearby(Ragged.of(documents), words=6, window=window)
    assert np.array_equal(found.toarray(), brute_force(documents, words=6, window=window))


def test_ppmi_is_that_of_its_definition() -> None:
    counts = brute_force([[0, 1, 2, 1, 3, 0, 0, 1], [2, 3, 3]], words=4, window=2)
    found = svd.ppmi(csr_array(counts.astype(np.float32)), smoothing=0.75, shift=1.2).toarray()
    total, contexts = counts.sum(), counts.sum(0) ** 0.75
    for word in range(4):
        for context in range(4):
            chance = counts.sum(1)[word] / total * contexts[context] / contexts.sum()
            joint = counts[word, context] / total
            wanted = max(0.0, np.log(joint / chance) - np.log(1.2)) if joint else 0.0
            assert found[word, context] == pytest.approx(wanted, abs=1e-6)


def test_embeddings_are_the_singular_vectors_weighed() -> None:
    matrix = np.random.RandomState(0).rand(8, 8).astype(np.float32)
    found = svd.embeddings(csr_array(matrix), size=3, power=0.5, iterations=8, seed=0)
    vectors, values, _ = np.linalg.svd(matrix)
    wanted = vectors[:, :3] * values[:3] ** 0.5
    assert np.allclose(found @ found.T, wanted @ wanted.T, atol=1e-4)  # signs are free


def test_words_get_vectors_of_the_chosen_size_and_missing_ones_zeros() -> None:
    network = model()
    split = train_split(*texts())
    ppmi_svd(network, split, generator(), std=0.3)
    table = network.encoder.embedding.weight.detach()
    present = torch.tensor(sorted(set(split.documents.values.tolist())))
    assert float(table[present].pow(2).mean().sqrt()) == pytest.approx(0.3, rel=1e-5)
    missing = [word for word in range(50) if word not in present]
    assert (table[missing] == 0).all() and 0 in missing
    assert table.requires_grad is False and network.encoder.embedding.weight.requires_grad


def test_words_in_the_same_company_come_close() -> None:
    documents = ["the good film ended", "the fine film ended", "a dull plot began", "a poor plot began"] * 5
    split = train_split(documents, [0] * 20)
    network = model(embedding_size=3)
    ppmi_svd(network, split, generator(), window=2)
    good, fine, dull = network.encoder.embedding.weight[split.encoder.ids(["good", "fine", "dull"])]
    assert torch.cosine_similarity(good, fine, dim=0) > 0.99 > 0.5 > torch.cosine_similarity(good, dull, dim=0)


def test_the_same_seed_gives_the_same_embeddings_and_unlabelled_texts_count() -> None:
    documents, labels = texts()
    split = train_split(documents, labels)
    pool = Ragged.of([[40, 41, 42]])
    once, again, more = model(), model(), model()
    for network, part in ((once, split), (again, split), (more, train_split(documents, labels, unlabelled=pool))):
        ppmi_svd(network, part, generator())
    assert torch.equal(once.encoder.embedding.weight, again.encoder.embedding.weight)
    assert (once.encoder.embedding.weight[41] == 0).all() and (more.encoder.embedding.weight[41] != 0).any()


def test_fewer_words_than_numbers_leave_the_rest_as_it_was() -> None:
    network = model(embedding_size=40)
    before = network.encoder.embedding.weight.detach().clone()
    told = ppmi_svd(network, train_split(*texts()), generator())
    after = network.encoder.embedding.weight.detach()
    assert told.startswith("10 numbers for 10 of 50 words")
    assert torch.equal(after[1:, 10:], before[1:, 10:]) and not torch.equal(after[:, :10], before[:, :10])


@pytest.mark.parametrize(
    ("name", "value"),
    [("window", 0), ("shift", 0.5), ("power", -1.0), ("iterations", -1), ("smoothing", 0.0), ("std", 0.0)],
)
def test_svd_arguments_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        ppmi_svd(model(), train_split(*texts(4)), generator(), **{name: value})


def test_what_has_no_words_is_told() -> None:
    with pytest.raises(ConfigError, match="the model has none"):
        ppmi_svd(nn.Linear(2, 2), train_split(*texts(4)), generator())
    with pytest.raises(ConfigError, match="two words and more"):
        ppmi_svd(model(), train_split(["a", "b"], [0, 1]), generator())


class Characters:
    """A split of which nothing but its corpus is known."""

    def __init__(self, *poems: list[int]) -> None:
        self.poems = Ragged.of(poems)

    def corpus(self) -> Ragged:
        return self.poems


def poet(**changed: Any) -> PoetryLSTM:
    torch.manual_seed(0)
    return PoetryLSTM(**({"vocab_size": 20, "embedding_size": 4, "hidden_size": 3} | changed))


def test_a_model_of_characters_and_a_split_of_poems_are_enough_for_embeddings() -> None:
    network = poet()
    told = ppmi_svd(network, Characters([2, 8, 9, 10], [2, 8, 11, 10]), generator(), std=0.2)  # type: ignore[arg-type]
    table = network.embedding.weight.detach()
    assert told.startswith("4 numbers for 5 of 20 words")
    assert (table.any(1).nonzero()[:, 0]).tolist() == [2, 8, 9, 10, 11]
    assert float(table[[2, 8, 9, 10, 11]].pow(2).mean().sqrt()) == pytest.approx(0.2, rel=1e-5)
    assert torch.cosine_similarity(table[9], table[11], dim=0) > 0.999  # they keep the same company


# ---------------------------------------------------------------- output bias


def test_the_bias_is_the_logarithm_of_each_tokens_share() -> None:
    network = poet(vocab_size=5)
    told = log_unigram(network, Characters([2, 2, 3], [2], []), generator(), smoothing=0.5)  # type: ignore[arg-type]
    shares = network.output_bias.detach().exp()
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.5, 3.5, 1.5, 0.5]) / 6.5)
    entropy = -(shares * shares.log()).sum()
    assert told == f"2 of 5 tokens occur; their perplexity is {entropy.exp():.0f}"
    assert network.output_bias.requires_grad


def test_the_first_step_then_knows_the_unigrams() -> None:
    poems = [[2, *torch.randint(3, 9, (12,), generator=generator()).tolist()] for _ in range(9)]
    network = poet().eval()
    with torch.no_grad():
        before = network(torch.tensor(poems), torch.tensor([13] * 9)).log_softmax(-1)
        log_unigram(network, Characters(*poems), generator())  # type: ignore[arg-type]
        after = network(torch.tensor(poems), torch.tensor([13] * 9)).log_softmax(-1)
    chances = (np.bincount(np.concatenate(poems), minlength=20) + 1) / (9 * 13 + 20)
    assert (before + np.log(20)).abs().max() < 0.2
    assert (after - torch.from_numpy(np.log(chances))).abs().max() < 0.2


def test_a_language_model_of_words_takes_its_unigrams_too() -> None:
    network = language_model()
    assert log_unigram(network, train_split(*texts()), generator()).startswith("10 of 50 tokens occur")
    assert network.output_bias.std() > 0


def test_what_has_no_output_bias_is_told_and_so_is_a_smoothing_of_nothing() -> None:
    with pytest.raises(ConfigError, match="the model has none"):
        log_unigram(model(), train_split(*texts(4)), generator())
    with pytest.raises(ConfigError, match="the data has none"):
        log_unigram(poet(), TextlessSplit(), generator())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="^smoothing must be positive, not 0"):
        log_unigram(poet(), train_split(*texts(4)), generator(), smoothing=0)


class TextlessSplit:
    """One of pictures, say."""


# ---------------------------------------------------------------- another run


def save_run(path: Path, weights: nn.Module, *, ema: nn.Module | None = None, vocabulary: str | None = None) -> Path:
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("seed: 1\n")
    if vocabulary is not None:
        (path / "vocabulary.json").write_text(vocabulary + "\n", encoding="utf-8")
    content = {
        "step": 7, "model": weights.state_dict(), "ema": None if ema is None else ema.state_dict(), "optimizer": {},
        "scheduler": {}, "scaler": {}, "losses": torch.zeros(0), "best": [], "skipped": 0, "history_bytes": [0, 0],
        "data": {},
    }  # fmt: skip
    checkpoint.save(path / "checkpoints", content, keep=0, best=True)
    return path


def language_model() -> BiLanguageModel:
    torch.manual_seed(9)
    return BiLanguageModel(vocab_size=50, embedding_size=4, hidden_size=3)


def test_a_classifier_takes_the_encoder_of_a_language_model(tmp_path: Path) -> None:
    split, source, network = train_split(*texts(4)), language_model(), model()
    before = network.classifier.weight.detach().clone()
    path = save_run(tmp_path / "lm", source, vocabulary=split.encoder.to_json())
    told = from_run(network, split, generator(), run=str(path), runs="runs")
    assert all(
        torch.equal(value, source.encoder.state_dict()[name]) for name, value in network.encoder.state_dict().items()
    )
    assert torch.equal(network.classifier.weight, before)
    assert told == f"9 of 14 tensors from step 7 of {path}; not attend.hidden.weight, attend.hidden.bias, " \
        "attend.score.weight and 2 more"  # fmt: skip


def test_the_averaged_weights_are_preferred(tmp_path: Path) -> None:
    raw, averaged, network = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
    save_run(tmp_path / "runs" / "a-b" / "one", raw, ema=averaged)
    told = from_run(network, train_split(*texts(4)), generator(), run="latest", runs=str(tmp_path / "runs"))
    assert torch.equal(network.weight, averaged.weight)
    assert told.startswith("2 of 2 tensors") and ";" not in told


def test_other_shapes_stay_as_they_were(tmp_path: Path) -> None:
    path = save_run(tmp_path / "a", nn.Linear(2, 3))
    network = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(
        ConfigError, match=r"^init.run: nothing of .* weight \[3, 2\], bias \[3\]; .* 0.weight \[2, 2\]"
    ):
        from_run(network, train_split(*texts(4)), generator(), run=str(path), runs="runs")


@pytest.mark.parametrize(
    ("vocabulary", "said"),
    [("{}", r"vocabulary.json: the vocabulary cannot be used"), (None, "has no vocabulary.json")],
)
def test_embeddings_without_a_vocabulary_are_refused(tmp_path: Path, vocabulary: str | None, said: str) -> None:
    path = save_run(tmp_path / "lm", language_model(), vocabulary=vocabulary)
    network = model()
    before = network.encoder.embedding.weight.detach().clone()
    with pytest.raises(UserError, match=said):
        from_run(network, train_split(*texts(4)), generator(), run=str(path), runs="runs")
    assert torch.equal(network.encoder.embedding.weight, before)


def test_without_the_embeddings_the_words_do_not_matter(tmp_path: Path) -> None:
    path = save_run(tmp_path / "lm", language_model())
    told = from_run(model(vocab_size=60), train_split(*texts(4)), generator(), run=str(path), runs="runs")
    assert told.startswith("8 of 14 tensors") and "not encoder.embedding.weight" in told


def encoder_of(words: str, *, tokenizer: str = "words") -> Encoder:
    return build_encoder([words], tokenizer=tokenizer, max_tokens=50, min_freq=1)


def split_of(words: str) -> TextSplit:
    encoder = encoder_of(words)
    return TextSplit(encoder.encode_all([words] * 2), torch.tensor([0, 1]), ("neg", "pos"), encoder)


def by_token(table: Tensor, encoder: Encoder) -> dict[str, Tensor]:
    return {encoder.token(index): table[index] for index in range(encoder.size)}


@pytest.mark.parametrize("rows", [50, 60])
def test_rows_of_another_vocabulary_follow_their_words(tmp_path: Path, rows: int) -> None:
    ours, theirs = split_of("b b b good film new"), encoder_of("film film film z good b")
    source, network = language_model(), BiLanguageModel(vocab_size=rows, embedding_size=4, hidden_size=3)
    torch.nn.init.normal_(source.output_bias)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    path = save_run(tmp_path / "lm", source, vocabulary=theirs.to_json())
    told = from_run(network, ours, generator(), run=str(path), runs="runs")
    assert told == (
        f"14 of 14 tensors from step 7 of {path}; "
        "of output_bias, encoder.embedding.weight only the rows of 3 of 4 words"
    )
    for name, value in network.state_dict().items():
        theirs_too = source.state_dict()[name]
        if name not in ("output_bias", "encoder.embedding.weight"):
            assert torch.equal(value, theirs_too), name
            continue
        found, wanted = by_token(value, ours.encoder), by_token(theirs_too, theirs)
        assert found.keys() - wanted.keys() == {"new"}
        assert all(torch.equal(found[token], wanted[token]) for token in found.keys() & wanted.keys())
        assert torch.equal(found["new"], by_token(before[name], ours.encoder)["new"])
        assert torch.equal(value[ours.encoder.size :], before[name][ours.encoder.size :])


def test_the_same_words_in_a_smaller_table_are_found_again(tmp_path: Path) -> None:
    split, source = split_of("good film"), language_model()
    path = save_run(tmp_path / "lm", source, vocabulary=split.encoder.to_json())
    network = model(vocab_size=4)
    told = from_run(network, split, generator(), run=str(path), runs="runs")
    assert torch.equal(network.encoder.embedding.weight, source.encoder.embedding.weight[:4])
    assert "of encoder.embedding.weight only the rows of 2 of 2 words" in told


def test_subwords_and_words_are_matched_by_what_they_say(tmp_path: Path) -> None:
    split, theirs, source = split_of("a b"), encoder_of("a, b", tokenizer="bpe"), language_model()
    path = save_run(tmp_path / "lm", source, vocabulary=theirs.to_json())
    network = model()
    from_run(network, split, generator(), run=str(path), runs="runs")
    found = by_token(network.encoder.embedding.weight, split.encoder)
    assert torch.equal(found["a"], by_token(source.encoder.embedding.weight, theirs)["a"])


def test_a_run_that_knows_fewer_than_half_of_the_words_is_refused_in_one_line(tmp_path: Path) -> None:
    network = model()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    path = save_run(tmp_path / "lm", language_model(), vocabulary=encoder_of("good dull").to_json())
    with pytest.raises(ConfigError, match=r"knows only 1 of this run's 3 words, fewer than half") as caught:
        from_run(network, split_of("good film new"), generator(), run=str(path), runs="runs")
    assert len(caught.value.problems) == 1
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    from_run(network, split_of("good film"), generator(), run=str(path), runs="runs")


def test_what_hashes_ids_or_is_as_wide_by_chance_starts_afresh_with_other_words(tmp_path: Path) -> None:
    shape = {"ngrams": 2, "ngram_buckets": 50, "attention_size": 50}
    source, network = model(**shape), model(**shape)
    for value in source.state_dict().values():
        torch.nn.init.normal_(value)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    path = save_run(tmp_path / "a", source, vocabulary=encoder_of("good good film").to_json())
    told = from_run(network, split_of("good film"), generator(), run=str(path), runs="runs")
    kept = {name for name, value in network.state_dict().items() if torch.equal(value, before[name])}
    hidden = {"attend.hidden.weight", "attend.hidden.bias"}
    assert kept == hidden | {name for name in before if name.startswith("wide.")}
    assert "not attend.hidden.weight, attend.hidden.bias, wide.table" in told

    path = save_run(tmp_path / "b", source, vocabulary=split_of("good film").encoder.to_json())
    told = from_run(network, split_of("good film"), generator(), run=str(path), runs="runs")
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in network.state_dict().items())
    assert ";" not in told


def test_poems_of_other_characters_keep_the_rows_of_theirs(tmp_path: Path) -> None:
    kept, own = (CharacterEncoder.build([text], max_tokens=50, min_freq=1) for text in ("明明月", "月月明日"))
    network, source = (PoetryLSTM(vocab_size=50, embedding_size=4, hidden_size=4, tied=False) for _ in range(2))
    torch.nn.init.normal_(source.output_bias)
    path = save_run(tmp_path / "poet", source, vocabulary=kept.to_json())
    told = from_run(network, Poems(own), generator(), run=str(path), runs="runs")  # type: ignore[arg-type]
    assert "of output_table, output_bias, embedding.weight only the rows of 10 of 11 words" in told
    for name in ("output_table", "output_bias", "embedding.weight"):
        found, wanted = (by_token(one.state_dict()[name], other) for one, other in ((network, own), (source, kept)))
        assert all(torch.equal(found[token], wanted[token]) for token in wanted), name


@dataclass
class Poems:
    """Of a split, what a start value asks for."""

    encoder: CharacterEncoder


def test_a_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no runs"):
        from_run(model(), train_split(*texts(4)), generator(), run="latest", runs=str(tmp_path))


# ---------------------------------------------------------------- init=

CALL = {"_target_": "dlcourse.training.starts.ppmi_svd.ppmi_svd"}


def test_init_holds_one_call_several_by_name_or_a_list() -> None:
    assert list(start_values(CALL)) == [("init", CALL)]
    assert list(start_values({"svd": CALL, "more": CALL})) == [("init.svd", CALL), ("init.more", CALL)]
    assert list(start_values([CALL])) == [("init.0", CALL)]
    assert list(start_values({})) == list(start_values([])) == list(start_values(None)) == []


def test_one_start_value_is_set_by_its_group() -> None:
    words = ["init=from_run", "init.run=latest"]
    check(split(words))
    parts = assemble(compose([*words, "runs=elsewhere"]), choices={})
    assert [(start.at, start.arguments["run"], start.arguments["runs"]) for start in parts.init] == [
        ("init", "latest", "elsewhere")
    ]


def test_runs_to_start_from_are_kept_by_their_full_names_and_paths_as_they_are(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    name = folder.path.relative_to(tmp_path).as_posix()
    call = {"_target_": "any", "run": "latest", "runs": None}
    assert pinned(call, runs=str(tmp_path)) == {**call, "run": name}
    assert pinned({"a": call, "b": CALL}, runs=str(tmp_path)) == {"a": {**call, "run": name}, "b": CALL}
    assert pinned([CALL, call], runs=str(tmp_path)) == [CALL, {**call, "run": name}]
    assert pinned({**call, "runs": str(tmp_path)}, runs="elsewhere")["run"] == name
    by_path = {**call, "run": str(folder.path)}
    assert pinned(by_path, runs="elsewhere") == by_path
    assert pinned(None, runs="elsewhere") is None


def test_several_start_values_are_set_by_their_names() -> None:
    words = ["+init@init.svd=ppmi_svd", "+init@init.nb=nb_ngrams", "init.svd.window=3"]
    check(split(words))
    parts = assemble(compose(words), choices={})
    assert [start.at for start in parts.init] == ["init.svd", "init.nb"]
    assert parts.init[0].arguments["window"] == 3


def test_an_experiment_may_bring_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "experiment").mkdir(parents=True)
    (tmp_path / "configs" / "experiment" / "both.yaml").write_text(
        "# @package _global_\n# Two start values, one after the other\n"
        "defaults:\n  - /init@init.svd: ppmi_svd\n  - /init@init.nb: nb_ngrams\n  - _self_\ninit:\n  nb:\n    c: 0.1\n"
    )
    words = ["experiment=both", "init.svd.power=0.0"]
    check(split(words))
    assert [start.arguments.get("c") for start in assemble(compose(words), choices={}).init] == [None, 0.1]


def test_a_start_value_that_lacks_something_is_told_with_all_other_faults() -> None:
    with pytest.raises(ConfigError) as caught:
        assemble(compose(["init=from_run", "optimizer.lr=-1.0"]), choices={})
    assert [problem.split(" ")[0] for problem in caught.value.problems] == ["optimizer.lr", "init.run"]


def test_what_a_start_value_says_of_an_argument_has_its_place() -> None:
    start = bind(CALL | {"window": 0}, at="init.svd", given=3)
    with pytest.raises(ConfigError, match=r"^init.svd.window must be 1 or more, not 0"):
        start(model(), train_split(*texts(4)), generator())
