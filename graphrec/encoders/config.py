"""Options of the encoders."""

from graphrec.core.config import config, option


@config
class ViewsConfig:
    """Options of the encoder."""

    dim: int = option(default=64, ge=2, help="Length of every vector.")
    reach: int = option(
        default=30, ge=1, help="Events of a user's history that are looked at, either way of the predicted one."
    )
    decay: float = option(
        default=0.8, gt=0, le=1, help="Weight of an event relative to the next nearer one, to begin with."
    )
    kg_weight: float = option(
        default=0.5, ge=0, help="Weight of a node's knowledge-graph neighbours beside its own vector."
    )
    gate: float = option(default=0.3, help="Weight of the other domains' views beside the domain's own, to begin with.")
