"""The texts of entities and relations as the lower layers of a language model see them, each read once."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphrec.core.types import FloatArray, IntArray
from graphrec.data.dataset import Triples
from graphrec.text.words import name_in_words
from kg_denoise.evidence import Evidence
from kg_denoise.signals.pair_model import PairModel, States
from kg_denoise.signals.text_config import CrossEncoderConfig


class Reader:
    """Keeps what it has read for later folds: the lower layers do not change, so neither do their states.

    `vectors` [num_read, width] are the mean states above all layers as they came, scaled to length 1.
    """

    def __init__(self, folder: Path, evidence: Evidence, options: CrossEncoderConfig) -> None:
        self.evidence, self._folder, self._options = evidence, folder, options
        self._library: Any = import_module("graphrec.text._transformers")
        self._encoder = self._library.Encoder(folder).to(self._library.device())
        self._frozen = min(options.frozen_layers, len(self._encoder.layers) - 1)
        none, where = np.empty(0, dtype=np.int64), self._library.device()
        flat = torch.empty((0, self._encoder.width), dtype=torch.float16, device=where)
        self.states = States(flat=flat, start=none, length=none)
        self.vectors = np.empty((0, self._encoder.width), dtype=np.float32)
        self._place = np.full(evidence.num_entities + evidence.num_relations, -1, dtype=np.int64)

    def read(self, triples: Triples) -> None:
        """Read the texts of `triples` that are new."""
        names = np.unique(np.concatenate(self._names(triples)))
        names = names[self._place[names] < 0]
        if len(names):
            self._place[names] = len(self.vectors) + np.arange(len(names))
            self._append([self._text(name) for name in names.tolist()])

    def model(self) -> PairModel:
        """Return the upper layers as they came, with a fresh output layer."""
        layers = self._library.Encoder(self._folder).layers[self._frozen :]
        model = PairModel(layers, lambda states, mask: self._library.run(layers, states, mask), self._encoder.width)
        return model.to(self._library.device())

    def places(self, triples: Triples) -> list[IntArray]:
        """Return the places of heads, relations and tails in `states` and `vectors`."""
        return [self._place[names] for names in self._names(triples)]

    def length(self, triples: Triples) -> IntArray:
        """Return the number of tokens of each triple."""
        return np.asarray(sum(self.states.length[one] for one in self.places(triples)))

    def _names(self, triples: Triples) -> list[IntArray]:
        return [triples.head, triples.relation + self.evidence.num_entities, triples.tail]

    def _text(self, name: int) -> str:
        num = self.evidence.num_entities
        return self.evidence.text[name] if name < num else name_in_words(self.evidence.relations[name - num])

    def _append(self, texts: list[str]) -> None:
        vectors: FloatArray = np.empty((len(texts), self._encoder.width), dtype=np.float32)
        length, order, parts = np.empty(len(texts), dtype=np.int64), [], [self.states.flat]
        for rows, states, mask in self._library.states_of(
            self._encoder, texts, self._frozen, max_length=self._options.max_length, label="denoise: reading"
        ):
            length[rows] = mask.sum(1).cpu().numpy()
            order.append(rows)
            # Half the bytes: what is kept are thousands of texts, token by token.
            parts.append(states[mask].half())
            vectors[rows] = self._library.means(self._encoder, states, mask, self._frozen)
        start, row = np.empty(len(texts), dtype=np.int64), np.concatenate(order)
        start[row] = np.cumsum(length[row]) - length[row] + len(self.states.flat)
        start, length = np.append(self.states.start, start), np.append(self.states.length, length)
        self.states = States(flat=torch.cat(parts).clone(), start=start, length=length)
        self.vectors = np.concatenate([self.vectors, vectors])
