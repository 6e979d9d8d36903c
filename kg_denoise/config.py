"""Options of the denoise stage. Those of a signal stand beside it, in a module of its own."""

from collections.abc import Mapping

from graphrec.core.config import config, option
from graphrec.data.kinds import KINDS
from kg_denoise.fuse_config import FusionConfig
from kg_denoise.keep_config import KeepConfig
from kg_denoise.signals import SIGNALS
from kg_denoise.signals.embedding_config import EmbeddingConfig
from kg_denoise.signals.schema_config import CollaborativeConfig, FactsConfig, SchemaConfig
from kg_denoise.signals.structure_config import CKRLConfig, RulesConfig, StructureConfig
from kg_denoise.signals.text_config import CrossEncoderConfig, TextConfig
from kg_denoise.testimony_config import TestimonyConfig

_QUICK = ("schema", "facts", "collaborative", "structure", "rules", "text")

PROFILES: Mapping[str, tuple[str, ...]] = {
    "quick": _QUICK,
    "default": (*_QUICK, "embedding", "cross_encoder"),
    "full": tuple(SIGNALS),
}
"""Profile -> the signals that it asks, where the data feed them."""


@config
class CalibrationConfig:
    """How scores become probabilities."""

    min_triples: int = option(
        default=1000, ge=1, help="A relation with fewer triples is calibrated together with the others such."
    )
    min_auroc: float = option(
        default=0.65,
        ge=0.5,
        le=1,
        help="A relation told apart from its corruptions less well takes its share of wrong triples from the others.",
    )
    lean: float = option(
        default=300.0, ge=0, help="How many triples' worth a relation's share of wrong ones leans to that of all."
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

    profile: str = option(
        default="default", choices=tuple(PROFILES), help="Which signals are asked, by what they cost."
    )
    signals: tuple[str, ...] = option(
        default=(), choices=tuple(SIGNALS), help="The signals to ask; empty takes those of the profile."
    )
    rounds: int = option(
        default=2,
        ge=1,
        help="Passes over the signals, of which the mean counts; what one doubts, the next does not learn from.",
    )
    folds: int = option(
        default=5, ge=2, help="Parts of the cross-fit; one more than a typical head has triples works best."
    )
    band: int = option(
        default=5_000, ge=1, help="Most triples and corruptions, the uncertain ones, that slow signals are asked for."
    )
    corruption: tuple[str, ...] = option(
        default=KINDS, choices=KINDS, help="How the wrong triples that everything is held against are made."
    )
    corruptions: float = option(default=1.0, gt=0, help="Wrong triples made per triple of the table.")
    unseen_share: float = option(
        default=0.02,
        ge=0,
        le=0.5,
        help="Least share of wrong triples that a table is taken to have: what the signals do not find of it is "
        "laid to errors that look right to all of them.",
    )
    labels: str | None = option(
        default=None,
        path=True,
        help="CSV of triples that people judged, such as a review.csv with its last column filled in.",
    )
    review: int = option(default=100, ge=0, help="Uncertain triples that review.csv asks a person to label.")
    schema: SchemaConfig = option(default=SchemaConfig(), help="The signal schema.")
    facts: FactsConfig = option(default=FactsConfig(), help="The signal facts.")
    collaborative: CollaborativeConfig = option(default=CollaborativeConfig(), help="The signal collaborative.")
    structure: StructureConfig = option(default=StructureConfig(), help="The signal structure.")
    rules: RulesConfig = option(default=RulesConfig(), help="The signal rules.")
    ckrl: CKRLConfig = option(default=CKRLConfig(), help="The signal ckrl.")
    embedding: EmbeddingConfig = option(default=EmbeddingConfig(), help="The signal embedding.")
    text: TextConfig = option(default=TextConfig(), help="The signal text.")
    cross_encoder: CrossEncoderConfig = option(default=CrossEncoderConfig(), help="The signal cross_encoder.")
    testimony: TestimonyConfig = option(default=TestimonyConfig(), help="Votes and confidences.")
    fusion: FusionConfig = option(default=FusionConfig(), help="From signals to one score.")
    calibration: CalibrationConfig = option(default=CalibrationConfig(), help="From scores to probabilities.")
    keep: KeepConfig = option(default=KeepConfig(), help="Which triples go on, and with what weight.")
