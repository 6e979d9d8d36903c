"""Options of the encoders."""

from graphrec.core.config import config, option


@config
class ViewsConfig:
    """Options of the encoder `views`, which every stage can use."""

    dim: int = option(default=64, ge=2, help="Length of every vector.")
    reach: int = option(
        default=30,
        ge=1,
        help="Events of a user's history that are looked at, either way of the predicted one; lightgcn takes all.",
    )
    decay: float = option(
        default=0.8, gt=0, le=1, help="Weight of an event relative to the next nearer one, to begin with."
    )
    kg_weight: float = option(
        default=0.5, ge=0, help="Weight of a node's knowledge-graph neighbours beside its own vector."
    )
    gate: float = option(default=0.3, help="Weight of the other domains' views beside the domain's own, to begin with.")
    start: str = option(
        default="random",
        choices=("random", "spectral"),
        help="Item vectors to begin with: random, or the singular vectors of who had what.",
    )


@config
class EncoderConfig(ViewsConfig):
    """Options of the encoder of pretraining."""

    kind: str = option(
        default="views",
        choices=("views", "lightgcn", "kg_attention", "hetero", "text"),
        help="views: a user is what they had last; lightgcn: propagation over the whole graph of each domain; "
        "kg_attention, hetero: views whose items know their triples by attention, by relation; "
        "text: views whose items begin with their texts (`merge.item_text`).",
    )
    layers: int = option(
        default=2,
        ge=1,
        help="Steps of propagation: over the events (lightgcn), over the triples (kg_attention, hetero).",
    )
    rationale: float = option(
        default=0.0,
        ge=0,
        lt=1,
        help="Triples with less than this share of an even attention are left out (kg_attention).",
    )
    own_weight: float = option(
        default=1.0, ge=0, help="Weight of a node's own vector beside what the layers make of it (lightgcn)."
    )
    degree_power: float = option(
        default=0.5,
        ge=0,
        le=1,
        help="A step divides an event by the degrees of both its ends to this power (lightgcn).",
    )
    leave_out: bool = option(
        default=False, help="The events that a training step predicts are left out of its graph (lightgcn)."
    )
    user_vectors: bool = option(
        default=True, help="Users have vectors of their own beside what their items say of them (lightgcn)."
    )
