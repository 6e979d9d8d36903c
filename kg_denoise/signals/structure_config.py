"""Options of the signals that look at the shape of the graph: `structure`, `rules`, `ckrl`."""

from graphrec.core.config import config, option


@config
class StructureConfig:
    """Neighbours and short paths between the two ends of a triple."""

    cap: int = option(default=128, ge=1, help="Most neighbours of an entity that are followed; more are sampled.")


@config
class RulesConfig:
    """Horn rules of one or two steps, mined from the table."""

    folds: int = option(default=8, ge=2, help="Parts of the heads; a rule is judged for one part by the others.")
    min_support: float = option(default=2.0, gt=0, help="Fewest instances of a rule.")
    min_confidence: float = option(default=0.01, ge=0, lt=1, help="Lowest confidence of a rule that is used.")
    unseen: float = option(default=5.0, ge=0, help="Instances against a rule that are added to those counted.")
    cap: int = option(default=256, ge=1, help="Most steps of an entity that are followed; more are sampled.")
    max_rules: int = option(default=200_000, ge=1, help="Most rules that are kept in memory.")


@config
class CKRLConfig:
    """Triple confidence by CKRL (Xie et al., AAAI 2018) on a translation embedding."""

    dim: int = option(default=32, ge=1, help="Width of the embedding.")
    epochs: int = option(default=30, ge=1, help="Passes over the triples of a fold.")
    batch_size: int = option(default=4096, ge=1, help="Triples per step.")
    lr: float = option(default=0.1, gt=0, help="Learning rate of Adagrad.")
    margin: float = option(default=1.0, gt=0, help="Margin between a triple and its corruption.")
    comparisons: int = option(default=16, ge=1, help="Corruptions that a triple is compared with.")
    cap: int = option(default=128, ge=1, help="Most steps of an entity that are followed; more are sampled.")
