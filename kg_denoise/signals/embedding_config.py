"""Options of the signal embedding."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphrec.core.config import config, option


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model of PyKEEN is trained.

    `loss` against sampled rivals, its `margin` if it has one, `spread` of the initial values where they are not
    PyKEEN's own; `changed` goes to the model's constructor.
    """

    loss: str
    margin: float | None = None
    spread: float | None = None
    nuclear: bool = False
    changed: Mapping[str, object] = field(default_factory=dict)


MODELS: Mapping[str, Recipe] = {
    # Its constrainer puts every entity back on the sphere after every step, which costs more than the step.
    "TransE": Recipe(loss="nssa", margin=9.0, changed={"entity_constrainer": None}),
    "RotatE": Recipe(loss="nssa", margin=3.0),
    "MuRE": Recipe(loss="nssa", margin=3.0),
    # As they come, products start from scores in the hundreds, or so near zero that nothing leads away from there.
    "DistMult": Recipe(loss="crossentropy", spread=0.3, nuclear=True, changed={"entity_constrainer": None}),
    "ComplEx": Recipe(loss="crossentropy", spread=0.3, nuclear=True),
    "RESCAL": Recipe(loss="crossentropy", spread=0.3),
    "TuckER": Recipe(loss="crossentropy"),
}
"""Embedding models on offer; margins suit `dim` 32 to 64."""


@config
class EmbeddingConfig:
    """Knowledge-graph embedding models of PyKEEN, each with two columns."""

    models: tuple[str, ...] = option(default=("TransE",), choices=tuple(MODELS), help="Interaction models of PyKEEN.")
    dim: int = option(default=32, ge=1, help="Length of an entity's vector.")
    epochs: int = option(default=8, ge=1, help="Passes over the triples of the other folds.")
    batch_size: int = option(
        default=8192, ge=1, help="Most triples in a step; a small table is cut into 32 steps instead."
    )
    lr: float = option(default=0.05, gt=0, help="Learning rate of Adam.")
    num_negatives: int = option(
        default=2, ge=1, help="Rival tails, and rival heads, per triple, as often as its relation has them."
    )
    all_below: int = option(
        default=0, ge=0, help="With fewer entities than this, a triple is held against all of them instead."
    )
    penalty: float = option(
        default=0.03,
        ge=0,
        help="Weight of the nuclear 3-norm of DistMult and ComplEx, held against all (Lacroix et al. 2018).",
    )
    rivals: int = option(default=16, ge=1, help="Rival tails, and rival heads, that a triple's score is set against.")
    margin: float | None = option(default=None, gt=0, help="Margin of the distance models; unset: the model's own.")
    temperature: float = option(
        default=0.5, gt=0, help="How strongly the distance models weigh their hardest negatives."
    )
