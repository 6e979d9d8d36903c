"""Options of the fusion of signals."""

from graphrec.core.config import config, option


@config
class FusionConfig:
    """Boosted trees that tell the table's triples from corruptions by all signals."""

    rounds: int = option(default=100, ge=1, help="Trees.")
    leaves: int = option(default=8, ge=2, help="Leaves of a tree.")
    lr: float = option(default=0.05, gt=0, le=1, help="Shrinkage of each tree.")
    min_leaf: int = option(default=100, ge=1, help="Fewest rows in a leaf.")
    l2: float = option(default=5.0, ge=0, help="Ridge on the values of leaves.")
    feature_share: float = option(default=0.7, gt=0, le=1, help="Share of the columns that each tree may use.")
    folds: int = option(default=5, ge=2, help="Parts of the cross-fit of the fusion itself.")
    max_rows: int = option(
        default=400_000, ge=100, help="Most rows that one part learns from; more are sampled, all are scored."
    )
