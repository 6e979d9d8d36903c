"""BERT-like encoders out of a folder: transformers behind two functions and a class, silent and offline.

Layers are called one by one, so that the lowest can read a text by itself, once, and only the others
read a pair (MacAvaney et al. 2020, PreTTR).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as hf_logging

from graphrec.core.errors import ConfigError
from graphrec.core.progress import track
from graphrec.core.types import FloatArray, IntArray

_TOKENS_AT_ONCE = 4096


class Encoder(nn.Module):
    """A tokenizer and its model, cut into embeddings and layers."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        with _quiet():
            try:
                self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
            except (OSError, ValueError, KeyError) as error:
                reason = str(error).strip().partition("\n")[0]
                raise ConfigError(f"{folder}: holds no language model that can be read ({reason})") from None
        if not hasattr(model, "embeddings") or not hasattr(getattr(model, "encoder", None), "layer"):
            kind = type(model).__name__
            raise ConfigError(f"{folder}: {kind} is not built like BERT; give the folder of a BERT-like encoder")
        self.embeddings: nn.Module = model.embeddings
        self.layers = nn.ModuleList(model.encoder.layer)
        self.width = int(model.config.hidden_size)
        self.eval()

    def tokens(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Return the token ids of each text, at most `max_length`, with the marks of start and end."""
        if not len(texts):
            return []
        return list(self.tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"])

    def read(self, ids: Tensor, mask: Tensor, num_layers: int) -> Tensor:
        """Return the states above the lowest `num_layers` layers, `[batch, length, width]`, of token ids and mask."""
        return run(self.layers[:num_layers], self.embeddings(input_ids=ids), mask)


def run(layers: nn.ModuleList, states: Tensor, mask: Tensor) -> Tensor:
    """Send states `[batch, length, width]` through layers; where `mask` [batch, length] is false nobody looks."""
    hidden = torch.zeros(mask.shape, dtype=states.dtype, device=states.device)
    hidden = hidden.masked_fill(~mask, torch.finfo(states.dtype).min)[:, None, None]  # [batch, 1, 1, length]
    for layer in layers:
        states = layer(states, hidden)
    return states


def sentence_vectors(folder: Path, texts: Sequence[str], *, max_length: int, label: str) -> FloatArray:
    """Return the mean of the last states of each text, scaled to length 1, `[num_texts, width]`."""
    encoder = Encoder(folder).to(device())
    vectors = np.zeros((len(texts), encoder.width), dtype=np.float32)
    num = len(encoder.layers)
    for rows, states, mask in states_of(encoder, texts, num, max_length=max_length, label=label):
        vectors[rows] = means(encoder, states, mask, num)
    return vectors


def means(encoder: Encoder, states: Tensor, mask: Tensor, num_layers: int) -> FloatArray:
    """Return the mean last state of each text, of length 1, `[batch, width]`, given those above `num_layers` layers."""
    with torch.inference_mode():
        states = run(encoder.layers[num_layers:], states, mask)
        total = (states * mask[..., None]).sum(1)
        return np.asarray(nn.functional.normalize(total, dim=1).cpu().numpy(), dtype=np.float32)


def states_of(
    encoder: Encoder, texts: Sequence[str], num_layers: int, *, max_length: int, label: str
) -> Iterator[tuple[IntArray, Tensor, Tensor]]:
    """Yield rows, states `[batch, length, width]` and mask of texts, alike in length within a batch."""
    tokens = encoder.tokens(texts, max_length)
    length = np.array([len(one) for one in tokens], dtype=np.int64)
    order = np.argsort(-length, kind="stable")
    # Longest first: a batch holds a fixed number of tokens, padding included, and memory is asked for at once.
    steps, start = [], 0
    while start < len(order):
        stop = start + max(1, _TOKENS_AT_ONCE // max(int(length[order[start]]), 1))
        steps.append(order[start:stop])
        start = stop
    where = device()
    for rows in track(steps, label):
        ids = torch.zeros((len(rows), int(length[rows[0]])), dtype=torch.int64)
        mask = torch.from_numpy(np.arange(ids.shape[1]) < length[rows, None])
        ids[mask] = torch.from_numpy(np.concatenate([tokens[row] for row in rows]))
        # Closed before yielding, so that the mode does not reach the reader of what is yielded.
        with torch.inference_mode():
            states = encoder.read(ids.to(where), mask.to(where), num_layers)
        yield rows, states, mask.to(where)


def device() -> torch.device:
    """Return the accelerator where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def _quiet() -> Iterator[None]:
    # Its bars and notes would land between the lines of the run; what was set before is put back.
    level, bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        hf_logging.set_verbosity(level)
        if bars:
            hf_logging.enable_progress_bar()
