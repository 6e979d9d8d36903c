"""Texts as bags of words, for where no language model is at hand.

A code, such as `B000P24EI2`, `Q42` or `item_17`, is no text: its letters say nothing of what it names.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy import sparse

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, FloatArray
from graphrec.core.vectors import unit_rows

_WORD = r"[\p{L}\p{M}\p{N}]+"
_CODE = r"^\p{L}+[_:/#-]?\p{N}+$"
_MOST_WORDS = 64
_LETTERS_SHARE = 0.5
_SPARE, _POWER = 8, 2


def has_words(text: Sequence[str]) -> BoolArray:
    """Return which texts hold a word, `[num_texts]`: two letters or more without a digit, not a mere code."""
    table = _words(text).select("row").unique()
    found = np.zeros(len(text), dtype=np.bool_)
    found[table["row"].to_numpy()] = True
    return found


def name_in_words(name: str) -> str:
    """Return a relation's name as words: `alsoBought`, `also_bought` and `/shop/also-bought` read `also bought`."""
    parts = pl.Series([name.rstrip("/").rpartition("/")[2] or name])
    spaced = parts.str.replace_all(r"(\p{Ll})(\p{Lu})", "${1} ${2}").str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
    return str(spaced.str.to_lowercase().str.strip_chars()[0])


def word_vectors(text: Sequence[str], dim: int, *, seed: int) -> FloatArray:
    """Return a vector of length 1 per text, `[num_texts, dim]`, 0 where it has no words.

    TF-IDF of words and of their letter trigrams, cut down by a randomised SVD (Halko, Martinsson and
    Tropp 2011, algorithm 4.4).
    """
    table = _words(text)
    names = table.select("word").unique().sort("word").with_row_index("column")
    joined = table.join(names, on="word", maintain_order="left")
    counts = _matrix(joined["row"].to_numpy(), joined["column"].to_numpy(), (len(text), len(names)))
    letters = counts @ _trigrams(names["word"])
    both = sparse.hstack([_tfidf(counts), _tfidf(letters) * np.float32(_LETTERS_SHARE)], format="csr")
    return unit_rows(_cut(both, dim, seed))


def _words(text: Sequence[str]) -> pl.DataFrame:
    """Return columns `row` and `word`, one row per word in a text."""
    token = pl.col("word")
    table = pl.DataFrame({"word": pl.Series(text, dtype=pl.String)}).with_row_index("row")
    table = table.filter(~token.str.strip_chars().str.contains(_CODE))
    table = table.with_columns(token.str.to_lowercase().str.extract_all(_WORD).list.head(_MOST_WORDS))
    return table.explode("word").filter((token.str.len_chars() >= 2) & ~token.str.contains(r"\p{N}"))


def _trigrams(words: pl.Series) -> sparse.csr_array:
    """Return which letter trigrams each word has, `[num_words, num_trigrams]`; its edges count as letters."""
    padded = pl.DataFrame({"word": "<" + words + ">"}).with_row_index("row")
    starts = pl.int_ranges(0, pl.col("word").str.len_chars().cast(pl.Int64) - 2).alias("start")
    table = padded.with_columns(starts).explode("start").with_columns(part=pl.col("word").str.slice("start", 3))
    names = table.select("part").unique().sort("part").with_row_index("column")
    table = table.join(names, on="part", maintain_order="left")
    return _matrix(table["row"].to_numpy(), table["column"].to_numpy(), (len(words), len(names)))


def _matrix(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(row), dtype=np.float32), (row, column)), shape=shape)


def _tfidf(counts: sparse.csr_array) -> sparse.csr_array:
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    weight = np.log((1 + counts.shape[0]) / (1 + frequency)) + 1
    scaled = sparse.csr_array(counts.log1p() @ sparse.diags_array(weight.astype(np.float32)))
    length = np.sqrt(scaled.multiply(scaled).sum(axis=1))
    inverse = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
    return sparse.csr_array(sparse.diags_array(inverse.astype(np.float32)) @ scaled)


def _cut(matrix: sparse.csr_array, dim: int, seed: int) -> FloatArray:
    """Return the leading left singular vectors times their values, `[num_rows, dim]`, filled up with zeros."""
    rank = min(dim, *matrix.shape)
    cut = np.zeros((matrix.shape[0], dim), dtype=np.float32)
    if not rank:
        return cut
    start = generator(seed, "words").standard_normal((matrix.shape[1], min(rank + _SPARE, *matrix.shape)))
    basis = np.linalg.qr(matrix @ start.astype(np.float32))[0]
    for _ in range(_POWER):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    short = (matrix.T @ basis).T  # [rank + spare, num_columns]
    value, vector = np.linalg.eigh(short @ short.T)
    cut[:, :rank] = basis @ (vector * np.sqrt(np.maximum(value, 0)))[:, ::-1][:, :rank]
    return cut
