"""Signals that read: words, vectors compared, triples read by a language model."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from graphrec.core.errors import ConfigError, MissingExtraError
from graphrec.core.seeds import generator
from graphrec.core.tracking import NullTracker
from graphrec.data.corrupt import corrupt, join, take, triple_keys
from graphrec.data.dataset import Triples
from graphrec.text import read
from graphrec.text.read import available, model_folder
from graphrec.text.words import has_words, name_in_words, word_vectors
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals import canonical, text
from kg_denoise.signals.cross_encoder import CrossEncoderSignal, _Task, corrupted
from kg_denoise.signals.pair_model import PairModel, States
from kg_denoise.signals.text import COLUMNS, TextSignal, entity_vectors
from kg_denoise.signals.text_config import CrossEncoderConfig, TextConfig

WORDS = ["red", "blue", "green", "amber", "violet", "lemon", "cherry", "olive", "walnut", "cedar", "maple", "birch"]
"""One theme each: an entity's text is its theme and a word of its own."""


def _triples(rows: list[tuple[int, int, int]]) -> Triples:
    head, relation, tail = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Triples(head=head, relation=relation, tail=tail, confidence=np.ones(len(rows), dtype=np.float32))


def _fold(train: Triples, asked: Triples, texts: list[str], *, num_own: int | None = None, seed: int = 1) -> Fold:
    own = np.arange(len(asked)) < (len(train) if num_own is None else num_own)
    evidence = Evidence(num_entities=len(texts), relations=("goesWith", "madeBy"), text=tuple(texts))
    return Fold(index=0, train=train, asked=asked, own=own, evidence=evidence, seed=seed, tracker=NullTracker())


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_BUNDLED", "no_such_package")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights that knows `WORDS` and letters."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tiny")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "goes", "with", "made", "by", "shop", "thing"]
    vocab = {piece: place for place, piece in enumerate(pieces)}
    transformers.BertTokenizer(vocab=vocab).save_pretrained(folder)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = transformers.BertConfig(vocab_size=len(vocab), initializer_range=0.5, **shape)
        transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def themes() -> tuple[list[str], Triples]:
    """Shops and things of twelve themes; a shop goes with the things of its theme."""
    texts = [f"{word} shop" for word in WORDS for _ in range(4)] + [f"{word} thing" for word in WORDS for _ in range(4)]
    rows = [(h, 0, 48 + 4 * (h // 4) + k) for h in range(48) for k in range(4) if (h + k) % 4]
    return texts, _triples(rows)


def test_codes_are_not_words() -> None:
    codes = ["B000P24EI2", "Q42", "", "12 34", "item_17", "user12", "/m/0abc", "  "]
    names = ["shampoo", "concept:athlete:lebron_james", "▁hair|▁soap", "iphone 5", "Größe"]
    assert not has_words(codes).any()
    assert has_words(names).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [("alsoBought", "also bought"), ("/shop/also-bought", "also bought"), ("film.actor.film", "film actor film")],
)
def test_relations_are_read_as_words(name: str, words: str) -> None:
    assert name_in_words(name) == words


def test_word_vectors_know_parts_of_words() -> None:
    vectors = word_vectors(["red shampoo", "shampoos", "usb cable", "B000P24EI2"], 3, seed=1)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.05
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], atol=1e-5)
    assert word_vectors(["B000P24EI2", ""], 4, seed=1).tolist() == [[0.0] * 4] * 2


def test_match_is_the_log_ratio_of_normal_densities() -> None:
    rng = generator(1, "normal")
    x = rng.standard_normal((4000, 2))
    y = x @ [[0.8, 0.1], [0.3, -0.5]] + rng.standard_normal((4000, 2)) + [3, 1]
    moments = canonical.Moments.of(x, y)
    model = canonical.canonical(moments, moments, 1e-9)
    joint = np.hstack([x, y])
    mean, cov = joint.mean(axis=0), np.cov(joint.T, bias=True)
    together = multivariate_normal(mean, cov).logpdf(joint)
    apart = multivariate_normal(mean[:2], cov[:2, :2]).logpdf(x) + multivariate_normal(mean[2:], cov[2:, 2:]).logpdf(y)
    assert np.allclose(model.score(x.astype(np.float32), y.astype(np.float32)), together - apart, atol=1e-3)


def test_texts_that_say_nothing_tell_nothing() -> None:
    """Own triples and corruptions of random vectors look alike: leaving out leaves nothing behind."""
    rng = generator(4, "nothing")
    vectors = rng.standard_normal((300, 16)).astype(np.float32)
    table = _triples(list({(int(h), 0, int(t)) for h, t in rng.integers([[0, 150]], [[150, 300]], size=(2000, 2))}))
    wrong = corrupt(table, len(table), num_entities=300, seed=1)
    own = np.arange(len(table) + len(wrong)) < len(table)
    told, options = np.ones(300, dtype=np.bool_), TextConfig(dim=16)
    score = text.compared(vectors, told, join(table, wrong), own, options, seed=1)
    for column in range(len(COLUMNS)):
        above = (score[own, column][:, None] > score[~own, column]).mean()
        assert above == pytest.approx(0.5, abs=0.03), list(COLUMNS)[column]


def test_match_learns_past_wrong_triples() -> None:
    rng = generator(5, "wrong")
    vectors = rng.standard_normal((4000, 4)).astype(np.float32)
    vectors[2000:] = vectors[:2000] + 0.6 * vectors[2000:]
    head, tail = np.arange(2000), np.arange(2000, 4000)
    tail[:300] = rng.permutation(tail[:300])
    score = canonical.match(
        vectors, head, np.zeros(2000, dtype=np.int64), tail, np.ones(2000, dtype=np.bool_), TextConfig(), seed=1
    )
    fitted = canonical.Moments.of(vectors[head[300:]], vectors[tail[300:]])
    clean = canonical.canonical(fitted, fitted, 0.3).score(vectors[head], vectors[tail])
    assert np.corrcoef(score, clean)[0, 1] > 0.97


def test_moments_of_parts_add_up() -> None:
    x, y = (generator(2, name).standard_normal((9, 3)).astype(np.float32) for name in "xy")
    parts, whole = canonical.Moments.of(x[:4], y[:4]) + canonical.Moments.of(x[4:], y[4:]), canonical.Moments.of(x, y)
    assert parts.num == whole.num == 9
    assert all(np.allclose(getattr(parts, name), getattr(whole, name), atol=1e-6) for name in ("x", "y", "xx", "xy"))


@pytest.mark.usefixtures("no_model")
def test_own_triples_are_left_out_exactly_of_the_means() -> None:
    texts = ["red shop", "blue shop", "red ball", "red cube", "blue ball", "green hat"]
    table = _triples([(0, 0, 2), (0, 0, 3), (1, 0, 4), (1, 0, 2), (0, 1, 5), (1, 0, 3)])
    score = TextSignal(TextConfig(dim=6)).score(_fold(table, table, texts))
    for row in range(len(table)):
        rest, one = (take(table, np.arange(len(table)) != row), take(table, np.array([row])))
        vectors, _ = entity_vectors(_fold(table, table, texts), TextConfig(dim=6))
        alone = text._company(vectors, *_columns(join(rest, one)), np.arange(len(table)) < len(rest))[-1]
        assert np.isclose(score[row, 2], alone, atol=1e-5, equal_nan=True)
    assert np.isnan(score[4, 2])  # the only tail of its head in the relation


@pytest.mark.usefixtures("no_model")
def test_company_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.array([[0, 0], [1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    monkeypatch.setattr(text, "entity_vectors", lambda *_: (vectors, np.ones(4, dtype=np.bool_)))
    table = _triples([(0, 0, 1), (0, 0, 2), (1, 0, 3)])
    asked = join(table, _triples([(0, 0, 3)]))
    score = TextSignal(TextConfig()).score(_fold(table, asked, ["a b"] * 4))
    # (0, 1): the other tail of 0 is 2, product 0.6; the others of the relation are 2 and 3, mean product 0.3.
    assert score[:, 2] == pytest.approx([0.6 - 0.3, 0.6 - 0.7, np.nan, 0.4 - 0.4], nan_ok=True, abs=1e-6)
    # (0, 3): the other head of 3 is 1, of no product with 0.
    assert score[3, 3] == pytest.approx(0, abs=1e-6)
    assert np.isnan(score[:3, 3]).all()
    assert score[:, 0] == pytest.approx([0, 0, 0, 0])
    assert np.isnan(score[:, 1]).all()  # fewer triples than can teach what matches


@pytest.mark.usefixtures("no_model")
def test_text_tells_triples_of_a_theme(themes: tuple[list[str], Triples]) -> None:
    texts, table = themes
    wrong = _triples([(h, 0, 48 + (4 * (h // 4) + 17 + k) % 48) for h in range(48) for k in (0, 9)])
    score = TextSignal(TextConfig(dim=24)).score(_fold(table, join(table, wrong), texts))
    own = np.arange(len(score)) < len(table)
    for column in range(len(COLUMNS)):
        assert (score[own, column][:, None] > score[~own, column]).mean() > 0.85, list(COLUMNS)[column]


@pytest.mark.usefixtures("no_model")
def test_codes_have_no_score(themes: tuple[list[str], Triples]) -> None:
    texts, table = themes
    texts[0], texts[48] = "B000P24EI2", ""
    score = TextSignal(TextConfig(dim=8)).score(_fold(table, table, texts))
    untold = (table.head == 0) | (table.tail == 48)
    assert np.isnan(score[untold]).all()
    assert not np.isnan(score[~untold, 0]).any()
    assert not TextSignal(TextConfig()).columns(_fold(table, table, ["Q42", "B01", "x1"]).evidence)
    assert TextSignal(TextConfig()).columns(_fold(table, table, texts).evidence) == COLUMNS


@pytest.mark.usefixtures("no_model")
def test_what_is_missing_is_named() -> None:
    assert not available(TextConfig().model)
    with pytest.raises(MissingExtraError, match=r"graphrec\[text\]"):
        model_folder(None, "denoise.cross_encoder")
    with pytest.raises(ConfigError, match="/no/such"):
        model_folder("/no/such", "denoise.text")


def test_a_folder_without_a_model_is_refused(tmp_path: Path, themes: tuple[list[str], Triples]) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text("{}")
    texts, table = themes
    with pytest.raises(ConfigError, match="holds no language model"):
        TextSignal(TextConfig(model=str(tmp_path))).score(_fold(table, table, texts))


def test_layer_by_layer_is_the_model_itself(tiny: Path) -> None:
    library, transformers = pytest.importorskip("graphrec.text._transformers"), pytest.importorskip("transformers")
    texts = ["red shop", "blue", "green amber violet lemon thing"]
    vectors = library.sentence_vectors(tiny, texts, max_length=16, label="reading")
    tokenizer, model = (transformers.BertTokenizer.from_pretrained(tiny), transformers.BertModel.from_pretrained(tiny))
    for row, one in enumerate(texts):
        with torch.inference_mode():
            mean = model.eval()(**tokenizer(one, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
        assert np.allclose(vectors[row], mean / np.linalg.norm(mean), atol=1e-5)


def test_texts_beyond_the_most_are_placed_by_their_words(tiny: Path, themes: tuple[list[str], Triples]) -> None:
    texts, table = themes
    fold = _fold(table, table, texts)
    whole, told = entity_vectors(fold, TextConfig(model=str(tiny), dim=16))
    part, _ = entity_vectors(fold, TextConfig(model=str(tiny), dim=16, max_texts=18))
    assert told.all()
    assert np.allclose(np.linalg.norm(part, axis=1), 1, atol=1e-4)
    # All texts are used alike often here, so that those read are the first in the alphabet.
    read = np.isin(texts, sorted(set(texts))[:18])
    assert np.allclose(part[read] @ part[read].T, whole[read] @ whole[read].T, atol=1e-4)
    assert not np.allclose(part[~read] @ part[~read].T, whole[~read] @ whole[~read].T, atol=1e-3)


def test_states_are_laid_end_to_end() -> None:
    flat = torch.arange(7, dtype=torch.float16)[:, None]
    states = States(flat=flat, start=np.array([0, 3]), length=np.array([3, 4]))
    joined, segment = states.joined([np.array([0, 1]), np.array([1, 0])])
    assert joined[..., 0][segment >= 0].tolist() == [0, 1, 2, 4, 5, 6, 3, 4, 5, 6, 1, 2]
    assert segment.tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1]]
    assert States(flat=flat, start=np.array([0, 3]), length=np.array([3, 4])).joined([np.array([0])])[0].shape[1] == 3


def test_an_untrained_pair_model_gives_its_guess() -> None:
    model = PairModel(torch.nn.ModuleList(), lambda states, _: states, 4)
    states, segment = torch.rand((2, 5, 4)), torch.tensor([[0, 0, 1, 2, -1], [0, 1, 2, 2, 2]])
    assert model(states, segment, torch.tensor([1.5, -2])).tolist() == [1.5, -2]


def test_corruptions_are_never_known(themes: tuple[list[str], Triples]) -> None:
    _, table = themes
    known = np.sort(triple_keys(table, 96))
    rows = generator(1, "rows").permutation(len(table))
    wrong, source = corrupted(table, rows, 3, known, 96, 5)
    assert not np.isin(triple_keys(wrong, 96), known).any()
    assert (np.diff(source) >= 0).all()
    assert len(wrong) > 2.9 * len(rows)
    made_of = take(table, rows[source])
    head, tail = wrong.head != made_of.head, wrong.tail != made_of.tail
    assert (head ^ tail).all()
    assert 0.4 < head.mean() < 0.6


def test_the_cross_encoder_learns_a_theme(tiny: Path, themes: tuple[list[str], Triples]) -> None:
    texts, table = themes
    texts[95] = "B000P24EI2"
    held = generator(3, "held").random(len(table)) < 0.3
    wrong = _triples([(h, 0, 48 + (4 * (h // 4) + 17) % 48) for h in range(48)])
    options = CrossEncoderConfig(model=str(tiny), epochs=2, lr=1e-3, frozen_layers=1)
    fold = _fold(take(table, ~held), join(take(table, held), wrong), texts, num_own=int(held.sum()))
    state = torch.get_rng_state()
    score = CrossEncoderSignal(options).score(fold)[:, 0]
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(np.isnan(score), fold.asked.tail == 95)
    assert (score[fold.own & ~np.isnan(score)][:, None] > score[~fold.own & ~np.isnan(score)]).mean() > 0.9
    assert np.array_equal(score, CrossEncoderSignal(options).score(fold)[:, 0], equal_nan=True)


@pytest.mark.skipif(find_spec("transformers") is None, reason="needs transformers")
@pytest.mark.parametrize("sign", [-1, 2])
def test_what_learns_less_than_the_guess_gives_way_to_it(
    tiny: Path, themes: tuple[list[str], Triples], monkeypatch: pytest.MonkeyPatch, sign: int
) -> None:
    texts, table = themes
    wrong = _triples([(h, 0, 48 + (4 * (h // 4) + 17) % 48) for h in range(48)])
    fold = _fold(table, join(table, wrong), texts, num_own=len(table))
    true = np.isin(triple_keys(fold.asked, 96), triple_keys(table, 96))
    # A stand-in for what was learnt knows the truth, or takes it for its opposite.
    guesses = []

    def logits(task: _Task, model: PairModel, rows: np.ndarray) -> np.ndarray:
        right = np.isin(triple_keys(take(task.triples, rows), 96), triple_keys(table, 96))
        guesses.append(task.guess[rows])
        return np.asarray(np.where(right, 1, -1) * np.float32(sign), dtype=np.float32)

    monkeypatch.setattr(_Task, "logits", logits)
    options = CrossEncoderConfig(model=str(tiny), epochs=1, max_steps=1, frozen_layers=1)
    score = CrossEncoderSignal(options).score(fold)[:, 0]
    assert len(guesses) == (1 if sign < 0 else 2)
    # What ships has mean 0 and variance 1, whichever it is.
    learnt = (np.where(true, 1, -1) - np.mean(np.where(true, 1, -1))) / np.std(np.where(true, 1, -1))
    assert np.allclose(score, learnt, atol=1e-5) == (sign == 2)
    assert score.mean() == pytest.approx(0, abs=1e-5) and score.std() == pytest.approx(1, abs=1e-5)


@pytest.mark.skipif(find_spec("transformers") is None, reason="needs transformers")
def test_a_later_fold_reads_only_what_is_new(tiny: Path, themes: tuple[list[str], Triples]) -> None:
    texts, table = themes
    signal = CrossEncoderSignal(CrossEncoderConfig(model=str(tiny), epochs=1, max_steps=2, frozen_layers=0))
    first = _fold(take(table, table.head < 24), take(table, table.head == 1), texts)
    signal.score(first)
    num, second = len(signal._reader.vectors), Fold(**{**vars(first), "train": table})  # type: ignore[union-attr]
    again = signal.score(second)
    assert len(signal._reader.vectors) > num  # type: ignore[union-attr]
    fresh = CrossEncoderSignal(CrossEncoderConfig(model=str(tiny), epochs=1, max_steps=2, frozen_layers=0))
    assert np.allclose(again, fresh.score(second), atol=1e-2)


def _columns(triples: Triples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return triples.head, triples.relation, triples.tail
