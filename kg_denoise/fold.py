"""What a signal is given and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar, Protocol, cast

from graphrec.core.tracking import Tracker
from graphrec.core.types import BoolArray, FloatArray
from graphrec.data.dataset import Triples
from kg_denoise.evidence import Evidence
from kg_denoise.signals import SIGNALS


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One fold: learn from `train`, score `asked`.

    For a signal that is cross-fitted the two share no triple. For one that leaves out for itself
    there is a single fold, whose `train` starts `asked`: the first `len(train)` rows of `asked` are
    `train` in order (`own` says which rows those are), the rest are corruptions. No triple is in a
    table twice, and no corruption is in `train`. `number` is that of the round.
    """

    index: int
    number: int = 1
    train: Triples
    asked: Triples
    own: BoolArray
    evidence: Evidence
    seed: int
    tracker: Tracker

    @property
    def name(self) -> str:
        """Return what tells this fold's metrics from those of others."""
        return f"round_{self.number}_fold_{self.index}"


class Signal(Protocol):
    """Scores triples. Equal folds give equal scores, for an equal number of threads.

    `leaves_out`: scores an own triple as if it were not in the table, by arithmetic (subtracting what
    it contributes), so that one pass over the whole table does what a cross-fit would; otherwise the
    signal is trained once per fold.
    """

    leaves_out: ClassVar[bool]

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return the name of each column of scores, with 1 if a higher score can only speak for a triple, else 0.

        Empty where the data lack what the signal looks at: it is then passed over.
        """
        ...

    def score(self, fold: Fold) -> FloatArray:
        """Return `[len(fold.asked), num_columns]` float32; NaN where the signal has nothing to go by."""
        ...


def load_signal(name: str, options: object) -> Signal:
    """Return the signal called `name`, made with its own section of options."""
    module, _, attribute = SIGNALS[name].partition(":")
    return cast(Signal, getattr(import_module(module), attribute)(options))
