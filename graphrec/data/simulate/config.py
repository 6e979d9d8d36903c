"""Options of the planted world. Free of torch and Polars, so that help is instant."""

from graphrec.core.config import config, option

SHARED, DISJOINT = "shared", "disjoint"


@config
class InterestConfig:
    """What users want, and how the domains relate to it."""

    dims: int = option(default=8, ge=2, le=256, help="Dimensions of the latent space of interests.")
    topics: int = option(default=40, ge=8, le=2000, help="Clusters of items in that space.")
    focus: float = option(default=2.0, gt=0, le=10, help="How sharply a user's interests single out topics.")
    skew: float = option(default=0.8, ge=0, le=3, help="Exponent of the popularity of items, by rank; 0 has no tail.")
    helpful_alignment: float = option(
        default=0.65, gt=0, le=1, help="Correlation of a user's interests in a helpful domain with those in the target."
    )
    harmful_alignment: float = option(
        default=0.15, ge=-1, le=0.5, help="Correlation of the passing interests with the lasting ones in the target."
    )
    passing_share: float = option(
        default=0.32, ge=0, lt=1, help="Share of the target's early events that follow the passing interests."
    )


@config
class TextConfig:
    """Words of items and entities."""

    topic_words: int = option(default=24, ge=8, le=400, help="Words of each topic's own vocabulary.")
    common_words: int = option(default=400, ge=10, le=5000, help="Words that belong to no topic.")
    length: int = option(default=14, ge=1, le=500, help="Words in an item's text.")
    noise: float = option(default=0.35, ge=0, le=1, help="Share of an item's words that do not come from its topic.")


@config
class KnowledgeConfig:
    """The knowledge graph, its errors among it."""

    facts: int = option(default=4, ge=1, le=50, help="True triples of an item, spread over the relations.")
    shared_share: float = option(
        default=0.7, ge=0, le=1, help="Share of an item's facts whose entity may occur in every domain."
    )
    entities: int = option(
        default=2, ge=1, le=100, help="Shared entities of a topic per relation; each domain adds as many of its own."
    )
    wrong_share: float = option(default=0.2, ge=0, lt=0.9, help="Wrong triples as a share of all triples.")
    random: float = option(default=1.0, ge=0, help="Weight of wrong triples with any entity as tail.")
    same_type: float = option(default=1.0, ge=0, help="Weight of wrong triples with a tail of the right type.")
    near: float = option(
        default=1.0, ge=0, help="Weight of wrong triples with a tail of the right type from a neighbouring topic."
    )
    confidence_gap: float = option(
        default=0.7, ge=0, le=10, help="How far true and wrong triples differ in confidence, in standard deviations."
    )


@config
class WorldConfig:
    """A planted world: a target, sources of three roles, item text, a knowledge graph with known errors."""

    users: str = option(
        default=SHARED,
        choices=(SHARED, DISJOINT),
        help="With disjoint, no user id occurs in two domains, so that entities are the only bridge between them.",
    )
    helpful: int = option(default=2, ge=1, le=8, help="Source domains that share the users' lasting interests.")
    irrelevant: int = option(default=2, ge=0, le=8, help="Source domains whose interests are independent.")
    harmful: int = option(default=2, ge=0, le=8, help="Source domains that share only the passing interests.")
    target_users: int = option(default=3000, ge=20, help="Users of the target.")
    target_items: int = option(default=300, ge=20, help="Items of the target.")
    target_events: float = option(default=7.0, ge=3, help="Mean number of events of a user in the target.")
    source_overlap: float = option(
        default=0.7, ge=0, le=1, help="Mean share of the target's users that a source has too."
    )
    source_outside: float = option(
        default=0.3, ge=0, le=0.7, help="Mean number of other users of a source, as a share of the target's users."
    )
    source_items: int = option(default=200, ge=20, help="Mean number of items of a source.")
    source_events: float = option(default=6.5, ge=3, help="Mean number of events of a user in a source.")
    spread: float = option(default=0.25, ge=0, lt=1, help="Sizes of sources vary by up to this share around the mean.")
    days: int = option(default=720, ge=10, help="Length of the period; the passing interests end after 3/4 of it.")
    interest: InterestConfig = option(default=InterestConfig(), help="What users want.")
    text: TextConfig = option(default=TextConfig(), help="Words of items and entities.")
    knowledge: KnowledgeConfig = option(default=KnowledgeConfig(), help="The knowledge graph and its errors.")


@config
class SimulateConfig(WorldConfig):
    """A world and its seed: what `graphrec simulate` takes."""

    seed: int = option(default=0, ge=0, help="Seed of every random choice.")
