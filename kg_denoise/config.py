"""Options of the denoise stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphrec.core.config import config, option
from kg_denoise.signals import SIGNALS


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How PyKEEN trains one of its models: the loss, its margin if it has one, what else is not as it comes."""

    loss: str
    margin: float | None = None
    changed: Mapping[str, str | None] = field(default_factory=dict)


_SMALL_START = {"entity_initializer": "xavier_normal_", "relation_initializer": "xavier_normal_", "regularizer": None}

MODELS: Mapping[str, Recipe] = {
    "TransE": Recipe(loss="nssa", margin=9.0),
    "RotatE": Recipe(loss="nssa", margin=3.0),
    "MuRE": Recipe(loss="nssa", margin=3.0),
    "DistMult": Recipe(loss="infonce"),
    # As it comes it starts from scores in the hundreds, and a few epochs do not lead back from there.
    "ComplEx": Recipe(loss="softplus", changed=_SMALL_START),
}
"""Embedding models on offer; margins suit `dim` 64."""


@config
class EmbeddingConfig:
    """A knowledge-graph embedding model, as PyKEEN trains it in the sLCWA loop."""

    model: str = option(default="TransE", choices=tuple(MODELS), help="Interaction model of PyKEEN.")
    dim: int = option(default=64, ge=1, help="Length of an entity's vector.")
    epochs: int = option(default=15, ge=1, help="Passes over the triples of the other folds.")
    batch_size: int = option(
        default=8192, ge=1, help="Most triples in a step; a small table is cut into eight steps instead."
    )
    lr: float = option(default=0.05, gt=0, help="Learning rate of Adam.")
    num_negatives: int = option(
        default=2, ge=1, help="Negatives per triple, from the heads and tails its relation is used with."
    )
    margin: float | None = option(default=None, gt=0, help="Margin of the distance models; unset: the model's own.")
    temperature: float = option(
        default=0.5, gt=0, help="How strongly the distance models weigh their hardest negatives."
    )


@config
class CalibrationConfig:
    """How scores become probabilities."""

    min_triples: int = option(
        default=200, ge=1, help="A relation with fewer triples is calibrated together with the others such."
    )
    min_auroc: float = option(
        default=0.65,
        ge=0.5,
        le=1,
        help="A relation told apart from its corruptions less well takes its share of wrong triples from the others.",
    )
    report_share: float = option(
        default=0.3, gt=0, lt=1, help="Share of triples and corruptions kept from the fit, to report how good it is."
    )
    noise_share: float | None = option(
        default=None, ge=0, lt=1, help="Share of wrong triples where known; else it is estimated."
    )
    fallback_share: float = option(
        default=0.1, ge=0, lt=1, help="Share of wrong triples to assume where no relation is told well enough."
    )


@config
class DenoiseConfig:
    """The denoise stage."""

    signal: str = option(default="embedding", choices=tuple(SIGNALS), help="What scores a triple.")
    folds: int = option(
        default=5, ge=2, help="Parts of the cross-fit; one more than a typical head has triples works best."
    )
    corruption: str = option(
        default="same_type", choices=("same_type", "uniform"), help="How the wrong triples that calibrate are made."
    )
    corruptions: float = option(default=1.0, gt=0, help="Wrong triples made per triple of the table.")
    embedding: EmbeddingConfig = option(default=EmbeddingConfig(), help="The signal embedding.")
    calibration: CalibrationConfig = option(default=CalibrationConfig(), help="From scores to probabilities.")
