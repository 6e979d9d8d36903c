"""Options of the samplers."""

from graphrec.core.config import config, option


@config
class PairsConfig:
    """Which item pairs random walks make, and how many."""

    walks: int = option(default=30, ge=0, help="Random walks from every item, over users and over entities each.")
    tail_factor: float = option(default=4.0, ge=1, help="Times as many walks from tail items and items without events.")
    hops: int = option(default=1, ge=1, help="Item-to-item hops of a walk over users; over entities it is always one.")
    accept_power: float = option(
        default=0.75, ge=0, help="A visit to a popular item counts with popularity^-power; 0: all do."
    )
    per_item: int = option(default=20, ge=1, help="Most visited items kept as pairs of an item, per kind of walk.")
    entity_weight: float = option(default=0.5, ge=0, help="Weight of a pair found over entities; over users it is 1.")
    hub_power: float = option(
        default=0.5, ge=0, help="A step from an item to an entity goes by degree^-power of the entity."
    )
