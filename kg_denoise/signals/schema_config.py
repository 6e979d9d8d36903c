"""Options of the signals schema, facts and collaborative."""

from graphrec.core.config import config, option


@config
class SchemaConfig:
    """Which types or roles a relation takes, and how many heads and tails."""

    prior: float = option(
        default=1.0, gt=0, help="Count that seen and expected both start from: how slowly a score leaves zero."
    )


@config
class FactsConfig:
    """What the other facts of a triple's head and tail say of it."""

    rivals: int = option(default=16, ge=1, help="Other tails, and other heads, that a triple is measured against.")
    members: int = option(default=16, ge=1, help="Most entities with a fact that one is compared with.")
    holders: int = option(default=1000, ge=1, help="Most entities that one shared fact can make alike.")
    traits: int = option(default=8, ge=1, help="Facts of each end, commonest first, that are paired with the other's.")
    prior: float = option(
        default=1.0, gt=0, help="Count that seen and expected both start from: how slowly a score leaves zero."
    )


@config
class CollaborativeConfig:
    """What the users of a triple's items say of it."""

    rivals: int = option(default=16, ge=1, help="Other tails, and other heads, that a triple is measured against.")
    members: int = option(default=16, ge=1, help="Most items with a fact that one is compared with.")
    holders: int = option(default=1000, ge=1, help="Most items of one user that are looked at.")
    dim: int = option(default=64, ge=1, help="Length of an item's vector.")
