"""What a signal is given and what it gives back."""

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from graphrec.core.tracking import Tracker
from graphrec.core.types import FloatArray
from graphrec.data.dataset import Triples
from kg_denoise.signals import SIGNALS


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One fold: learn from `train`, score `asked`. They share no triple, and neither is empty."""

    index: int
    train: Triples
    asked: Triples
    num_entities: int
    num_relations: int
    seed: int
    tracker: Tracker


class Signal(Protocol):
    """Scores triples. Equal folds give equal scores, for an equal number of threads."""

    def score(self, fold: Fold) -> FloatArray:
        """Return `[len(fold.asked)]` scores, larger for more plausible; NaN where the signal has nothing to go by."""
        ...


def load_signal(name: str, options: object) -> Signal:
    """Return the signal called `name`, made with its own section of options."""
    module, _, attribute = SIGNALS[name].partition(":")
    return cast(Signal, getattr(import_module(module), attribute)(options))
