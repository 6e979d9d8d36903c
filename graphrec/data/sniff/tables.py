"""Which kind of table a sample is, and which role each of its columns has, with the reasons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphrec.data.sniff.columns import Column, columns_of, common
from graphrec.data.sniff.sample import Sample
from graphrec.data.sniff.times import is_text_of_times, why_unread

_MANY, _FEW = 0.9, 0.05
_SHOPS = 20
"""With more values, a column of shops is no column of domains."""

_NO_ROWS = {True: "is a saved graph", False: "has no rows"}


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What a file seems to be.

    `kind` is interactions, items, triples, links or none; `roles` maps a role to a column's name, text
    to several; `reasons` says why, by role; `others` the columns that came close, by role; `notes` what was
    left out, and why; `why` what speaks against every kind where it is none.
    """

    sample: Sample
    kind: str
    roles: Mapping[str, str] = field(default_factory=dict)
    text: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    why: str = ""

    def column(self, role: str) -> Column:
        """Return the column that has `role`."""
        return Column(self.roles[role], self.sample.frame[self.roles[role]])


def guess_kind(sample: Sample) -> Guess:
    """Tell what the sample is by its own names and values; what other files say comes later."""
    if sample.form in ("unknown", "graph") or not sample.frame.height:
        return Guess(sample=sample, kind="none", why=sample.why or _NO_ROWS[sample.form == "graph"])
    if sample.form == "lists":
        why = {"user": "the first number of each line", "item": "all later numbers of the line"}
        return Guess(sample=sample, kind="interactions", roles={"user": "user", "item": "item"}, reasons=why)
    columns = columns_of(sample.frame)
    for look in (_triples, _links, _interactions, _items):
        found = look(sample, columns)
        if found is not None:
            return found
    return Guess(sample=sample, kind="none", why=_why_none(columns))


def _triples(sample: Sample, columns: Sequence[Column]) -> Guess | None:
    """Head, relation and tail by name; or three columns without header whose middle one has few values."""
    parts = ("head", "relation", "tail")
    named = {role: next((c for c in columns if c.named(role) and c.is_id), None) for role in parts}
    if all(named.values()) and len({c.name for c in named.values() if c}) == 3:
        roles = {role: c.name for role, c in named.items() if c}
        reasons = {role: f"the column's name ({named[role].num:,} distinct values)" for role in parts}  # type: ignore[union-attr]
        sure = next(
            (c for c in columns if c.named("confidence") and _is_share(c) and c.name not in roles.values()), None
        )
        extra = {"confidence": sure.name} if sure else {}
        return Guess(sample=sample, kind="triples", roles={**roles, **extra}, reasons=reasons)
    # A first column that numbers the rows says nothing.
    ends = columns[1:] if len(columns) == 4 and columns[0].unique > 0.999 else columns
    if sample.header or len(ends) != 3:
        return None
    head, relation, tail = ends
    ends_repeat = relation.num < _FEW * min(len(relation.texts), 10 * max(head.num, tail.num)) or relation.num < 100
    if not all(c.is_id for c in ends) or not ends_repeat or relation.num >= min(head.num, tail.num):
        return None
    if tail.is_rating or tail.is_time or tail.num <= 12:
        return None
    few = f"three columns without a header, the middle one with {relation.num:,} values only"
    return Guess(
        sample=sample,
        kind="triples",
        roles={"head": head.name, "relation": relation.name, "tail": tail.name},
        reasons={"head": "the first column", "relation": few, "tail": "the last column"},
    )


def _links(sample: Sample, columns: Sequence[Column]) -> Guess | None:
    """An item and an entity by name; or two columns that are one to one in a file called so."""
    entity = next((c for c in columns if c.named("entity") and c.is_id), None)
    item = next((c for c in columns if c.named("item") and c.is_id and c is not entity), None)
    if entity and item and not any(c.named("user") for c in columns):
        reasons = {"item": "the column's name", "entity": "the column's name"}
        return Guess(sample=sample, kind="links", roles={"item": item.name, "entity": entity.name}, reasons=reasons)
    called = any(word in sample.path.name.lower() for word in ("link", "2entity", "_entity", "mapping", "map_", "2id"))
    if len(columns) == 2 and called and all(c.is_id and c.unique > _MANY for c in columns):
        reasons = dict.fromkeys(("item", "entity"), "two columns that are one to one, in a file called like a mapping")
        roles = {"item": columns[0].name, "entity": columns[1].name}
        return Guess(sample=sample, kind="links", roles=roles, reasons=reasons)
    return None


def _interactions(sample: Sample, columns: Sequence[Column]) -> Guess | None:
    """A user column and an item column, neither with a value of its own for each row."""
    user, item = _pair(columns, named=sample.header)
    if user is None or item is None:
        return None
    roles, reasons = {"user": user.name, "item": item.name}, {}
    for role, column in (("user", user), ("item", item)):
        how = "the column's name" if column.named(role) else "its place and its repeating ids"
        reasons[role] = f"{how}; {column.num:,} distinct values in {len(column.texts):,} rows"
    left = [c for c in columns if c not in (user, item)]
    unread = {c.name: why for c in _times(sample, left) if (why := why_unread(c))}
    found = dict(_optional(sample, [c for c in left if c.name not in unread], user, item))
    roles |= {role: column.name for role, (column, _) in found.items()}
    reasons |= {role: reason for role, (_, reason) in found.items()}
    others = {
        role: tuple(c.name for c in columns if c.named(role) and c.is_id and c.name not in roles.values())
        for role in ("user", "item", "time", "domain")
    }
    notes = tuple(f"no time: {name}: {why}" for name, why in unread.items() if "time" not in roles)
    return Guess(sample=sample, kind="interactions", roles=roles, reasons=reasons, others=others, notes=notes)


def _times(sample: Sample, columns: Sequence[Column]) -> list[Column]:
    """Return the columns that may hold times: those named so, else those whose values look so."""
    dated = [c for c in columns if c.is_time]
    named = [c for c in columns if c.named("time") and (c.is_time or c.kind == "int" or _says_when(c))]
    times = named or dated
    return times if sample.header else [c for c in times if c.is_time or c.num > 12]


def _says_when(column: Column) -> bool:
    """Return whether text has digits everywhere, as dates have that are written in words, or is read as times."""
    digits = column.kind == "text" and bool(column.texts.head(100).str.contains(r"\d").all())
    return digits or is_text_of_times(column)


def _pair(columns: Sequence[Column], *, named: bool) -> tuple[Column | None, Column | None]:
    """Return the user and the item column: by name, else the first two columns of ids that repeat."""
    ids = [c for c in columns if c.is_id and not c.is_time]
    if named:
        users = [c for c in ids if c.named("user")]
        items = [c for c in ids if c.named("item") and c not in users]
        if not users or not items:
            return None, None
        return _best(users, ("session", "device", "card", "author")), _best(
            items, ("store", "shop", "event", "adgroup")
        )
    repeating = [c for c in ids if c.num > 12 and (c.unique < 0.95 or len(columns) == 2)]
    if len(repeating) < 2 or (common(*repeating[:2]) > 0.5 and len(columns) <= 3 and _is_one_kind(*repeating[:2])):
        return None, None
    return repeating[0], repeating[1]


def _is_one_kind(one: Column, other: Column) -> bool:
    """Return whether equal ids mean that two columns hold ids of one kind: where both are counted, they need not."""
    return not (one.is_counted or other.is_counted)


def _best(columns: Sequence[Column], weak: tuple[str, ...]) -> Column:
    """Prefer a name that says the role without doubt."""
    return min(columns, key=lambda c: any(c.plain.startswith(word) for word in weak))


def _optional(
    sample: Sample, rest: Sequence[Column], user: Column, item: Column
) -> Iterator[tuple[str, tuple[Column, str]]]:
    left = list(rest)

    def take(role: str, column: Column | None, reason: str) -> Iterator[tuple[str, tuple[Column, str]]]:
        if column is not None:
            left.remove(column)
            yield role, (column, reason)

    split = next((c for c in left if c.is_split), None)
    yield from take("split", split, "its values are names of parts")
    times = _times(sample, left)
    yield from take(
        "time", _finest([c for c in times if c.is_time] or times), "dates, or numbers in the range of times"
    )
    if not times:
        place = next((c for c in left if c.named("position") and c.kind == "int"), None)
        yield from take("time", place, "its name says a position; it orders each user's events")
    label = next((c for c in left if c.named("label") and c.is_binary and c.num == 2), None)
    if label is None and not sample.header and len(left) == 1 and left[0].is_binary and left[0].num == 2:
        label = left[0]
    yield from take("label", label, "0 and 1: a row with 0 was shown and not used")
    event = next((c for c in left if c.named("event") and c.kind == "text" and c.num <= 50), None)
    yield from take("event", event, "its name, and few values")
    domain = _domain(sample, left, item)
    yield from take("domain", *domain) if domain else ()
    rating = next((c for c in left if c.named("rating") and c.is_rating), None)
    if rating is None and not sample.header:
        rating = next((c for c in left if c.is_rating and c.num > 2), None)
    yield from take("rating", rating, "few values in the range of ratings")
    weight = next((c for c in left if c.named("weight") and c.kind in ("int", "float") and c.num > 1), None)
    if weight is not None and float(weight.numbers.min()) > 0:  # type: ignore[arg-type]
        yield from take("weight", weight, "its name, and positive numbers")


def _finest(columns: Sequence[Column]) -> Column | None:
    """Return the time column with most distinct values: a timestamp rather than its date."""
    return max(columns, key=lambda c: c.num, default=None)


def _domain(sample: Sample, left: Sequence[Column], item: Column) -> tuple[Column, str] | None:
    """A column named so with 2 to 200 values, or like a shop with at most 20; or one of 2 to 60 without a header."""
    usual = [c for c in left if c.is_id and 2 <= c.num <= 200 and not c.is_split]
    for column in usual:
        if column.named("domain"):
            return column, f"its name, and {column.num} values"
    for column in usual:
        if column.named("shop") and column.num <= _SHOPS:
            return column, f"its name, and only {column.num} values; leave it out if it is no market of its own"
    # Without names, a domain is what every item has one of.
    for column in usual if not sample.header else ():
        if column.num <= 60 and not column.is_binary and _one_each(sample, item, column):
            return column, f"{column.num} values, and every item has one of them only"
    return None


def _one_each(sample: Sample, item: Column, column: Column) -> bool:
    pairs = sample.frame.select(item.name, column.name).unique().height
    return item.num < 0.9 * len(item.texts) and pairs <= 1.02 * item.num


def _items(sample: Sample, columns: Sequence[Column]) -> Guess | None:
    """An id that is unique, and columns that describe it."""
    keys = [c for c in columns if c.is_id and c.unique > _MANY and (c.named("item") or c.plain in ("id", "c1"))]
    keys = sorted(keys, key=lambda c: not c.named("item"))
    texts = [c for c in columns if c not in keys[:1] and c.kind == "text" and not _is_link(c)]
    texts = [c for c in texts if c.named("text")] or [c for c in texts if c.length > 3] if sample.header else texts
    if not keys or not texts or any(c.named("user") for c in columns if c is not keys[0]):
        return None
    key = keys[0]
    usual = [c for c in columns if c.named("domain") and 2 <= c.num <= 200 and c.kind == "text"]
    return Guess(
        sample=sample,
        kind="items",
        roles={"item": key.name, **({"maybe_domain": usual[0].name} if usual else {})},
        text=tuple(c.name for c in texts[:6]),
        reasons={"item": f"{key.num:,} values, each its own row", "text": "text columns that describe the item"},
    )


def _is_link(column: Column) -> bool:
    return bool(column.texts.head(100).str.contains("^https?://").mean() or 0)


def _is_share(column: Column) -> bool:
    if column.kind not in ("int", "float"):
        return False
    low, high = float(column.numbers.min()), float(column.numbers.max())  # type: ignore[arg-type]
    return low >= 0 and high <= 1


def _why_none(columns: Sequence[Column]) -> str:
    users, items = ([c.name for c in columns if c.named(role)] for role in ("user", "item"))
    if len(columns) >= 2 and len(columns) <= 3 and all(c.is_id for c in columns[:2]) and common(*columns[:2]) > 0.3:
        return f"ties ids of one kind to each other ({columns[0].name} and {columns[1].name}), such as users to friends"
    if any(c.kind == "list" for c in columns):
        return "has lists in its cells, such as ranked candidates"
    if users and not items:
        return f"has a user column ({users[0]}) but no column of items"
    if items and not users:
        return f"has an item column ({items[0]}) but no column of users, and nothing that describes the item"
    return "has no columns that look like a user and an item"
