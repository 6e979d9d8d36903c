"""Options of what is kept of the triples, once each has its probability."""

from graphrec.core.config import config, option

POLICIES = ("weights", "precision", "top", "threshold")
"""How to choose what is kept."""


@config
class KeepConfig:
    """Which triples go on, and with what weight."""

    policy: str = option(
        default="threshold",
        choices=POLICIES,
        help="threshold: those likely enough; weights: all but the hopeless; precision: as many as are true often "
        "enough; top: the best of each relation.",
    )
    hopeless: float = option(
        default=0.05, ge=0, le=1, help="Policy weights: a triple with a smaller probability is dropped."
    )
    precision: float = option(
        default=0.95, gt=0, le=1, help="Policy precision: expected share of true triples among those kept."
    )
    per_relation: bool = option(
        default=False, help="Policy precision: whether each relation must reach it, rather than all together."
    )
    top: float = option(default=0.3, gt=0, le=1, help="Policy top: share of each relation's triples that is kept.")
    threshold: float = option(default=0.65, ge=0, le=1, help="Policy threshold: smallest probability that is kept.")
    power: float = option(
        default=2.0, ge=0, help="A kept triple weighs probability ** power * confidence; 0: its confidence alone."
    )
    tail_degree: int = option(default=5, ge=0, help="An entity with at most this many triples is rare; 0 guards none.")
    least_per_entity: int = option(default=1, ge=0, help="Best triples that a rare entity keeps whatever the policy.")
    guard_floor: float = option(
        default=0.3, ge=0, le=1, help="Smallest probability of a triple that a rare entity keeps so."
    )
