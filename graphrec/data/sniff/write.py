"""The proposal as YAML, every choice with its reason beside it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from graphrec.data.sniff.columns import columns_of
from graphrec.data.sniff.entries import Entry
from graphrec.data.sniff.plan import Plan
from graphrec.data.sniff.sample import Sample
from graphrec.data.sniff.scalars import folder_of, path_in, quoted
from graphrec.data.sniff.tables import Guess
from graphrec.data.sniff.times import gap_filter
from graphrec.data.sniff.write_readers import amazon, graph, kgat, recbole

_EACH = 20


def as_yaml(plan: Plan, name: str) -> str:
    """Return the configuration of a run called `name`, which loads as it stands."""
    lines = [
        f"# Proposed from {_files(plan)}: read the reasons, change what is wrong.",
        f"# Run it with: graphrec run {name}.yaml (first look at the data: graphrec inspect {name}.yaml)",
        f"name: {quoted(name)}",
        *_target(plan),
        "ingest:",
        *({"tables": _tables, "recbole": recbole, "kgat": kgat, "amazon": amazon, "graph": graph}[plan.reader](plan)),
        *_spaces(plan),
        *_split(plan),
        *(f"# {hint}." for hint in plan.hints),
        *_unused(plan),
        "# Every other option has a default: `graphrec show run` lists them.",
    ]
    return "\n".join(lines) + "\n"


def _files(plan: Plan) -> str:
    names = [path.name for path in plan.files]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more files" if len(names) > 4 else "")


def _target(plan: Plan) -> Iterator[str]:
    yield f"# The domain that the run is for: {plan.target.reason}."
    yield f"target: {quoted(plan.target.value)}"


def _spaces(plan: Plan) -> Iterator[str]:
    if plan.reader in ("kgat", "graph") or (plan.reader == "tables" and not plan.interactions):
        return
    if plan.reader != "tables":
        yield "  # One user id is one person in all domains of such files. The other choice: per_domain, two persons."
        yield "  user_ids: shared"
        return
    yield f"  # {plan.users.reason}. The other choice: {_other(plan.users.value)}."
    yield f"  user_ids: {plan.users.value}"
    yield f"  # {plan.item_ids.reason}. The other choice: {_other(plan.item_ids.value)}."
    yield f"  item_ids: {plan.item_ids.value}"


def _other(value: str) -> str:
    return "per_domain, two persons or items" if value == "shared" else "shared, one and the same"


def _split(plan: Plan) -> Iterator[str]:
    given = any(entry.split or "split" in entry.guess.roles for entry in plan.interactions)
    timed = all("time" in entry.guess.roles for entry in plan.interactions)
    if given:
        yield "  # The files say what is train and test. The other choice: leave_last_out, each user's last event."
        yield "  split: {kind: given}"
    elif plan.interactions and not timed:
        yield "  # No time, so the order of rows counts as that of events. If it means nothing: split: {kind: random},"
        yield "  # and encoder: {decay: 1} in pretrain, select.model and adapt.model: a user's events then count alike."
        yield "  split: {kind: leave_last_out}"
    elif plan.interactions:
        yield "  # Each user's last event in each domain is the test. Stricter: global_time, one date for all domains."
        yield "  split: {kind: leave_last_out}"


def _unused(plan: Plan) -> Iterator[str]:
    if plan.unused:
        yield "# Not used:"
        yield from (f"#   {path.name}: {why}." for path, why in plan.unused)


def _tables(plan: Plan) -> Iterator[str]:
    folder = folder_of(plan.files)
    yield "  tables:"
    yield "    # Paths below start here."
    yield f"    folder: {quoted(str(folder))}"
    if plan.interactions:
        yield "    interactions:"
        for entry in plan.interactions:
            yield from _interactions(entry, folder)
        missing = [what for what in ("items", "triples") if not getattr(plan, what)]
        if missing:
            yield f"    # Optional and not among the files: {' and '.join(missing)}."
    if plan.items:
        yield "    # Optional: what describes the items."
        yield "    items:"
        for guess in plan.items:
            yield from _items(guess, folder, plan)
    yield from _knowledge(plan, folder)


def _interactions(entry: Entry, folder: Path) -> Iterator[str]:
    guess, roles = entry.guess, entry.guess.roles
    yield f"      # {_seen(guess.sample)}"
    yield from (
        f"      # {role} is {roles[role]}: {reason}." for role, reason in guess.reasons.items() if role in roles
    )
    for role, names in guess.others.items():
        if names and role in roles:
            yield f"      # {role} could also be {', '.join(names)}."
    yield from (f"      # {note}." for note in (*guess.notes, *entry.notes))
    yield f"      - path: {path_in(guess.sample.path, folder)}"
    yield from _format(guess.sample, roles)
    for option in ("user", "item"):
        yield f"        {option}: {quoted(_named(guess, option))}"
    if entry.domain is not None:
        yield f"        as_domain: {quoted(entry.domain)}"
    else:
        yield f"        domain: {quoted(_named(guess, 'domain'))}"
    if entry.only:
        yield f"        domains: [{', '.join(map(quoted, entry.only))}]"
    for option in ("time", "weight", "split", "event"):
        if option in roles:
            yield f"        {option}: {quoted(_named(guess, option))}"
    if entry.split:
        yield f"        as_split: {entry.split}"
    yield from _filters(guess)


def _gaps(guess: Guess, roles: Sequence[str]) -> list[str]:
    """Return the conditions that leave out rows without an id, for the columns that have such rows."""
    names = [guess.roles[role] for role in roles if role in guess.roles]
    frame = guess.sample.frame.lazy()
    if guess.sample.form == "parquet":
        # Columns are cheap to look through as a whole, and gaps are too rare for a sample.
        frame = pl.scan_parquet(list(guess.sample.files), glob=False)
    text = (pl.col(name).cast(pl.String).fill_null("").str.strip_chars() == "" for name in names)
    empty = frame.select(found.any().alias(name) for name, found in zip(names, text, strict=True)).collect()
    shown = {guess.roles[role]: _named(guess, role) for role in roles if role in guess.roles}
    types = guess.sample.frame.schema
    found = [name for name in names if empty[name][0]]
    lowest = {name: frame.select(pl.col(name).min()).collect().item() for name in found if types[name].is_numeric()}
    # A null is no text that `none_of` could name, but it meets no bound.
    rules = {
        name: f"at_least: {min(0, int(lowest[name] or 0))}" if name in lowest else 'none_of: [""]' for name in found
    }
    return [f"{{column: {quoted(shown[name])}, {rule}}}" for name, rule in rules.items()]


def _has_null_text(guess: Guess, role: str) -> bool:
    """Return whether text ids of parquet or JSON lines are null somewhere; in delimited files they are empty text."""
    values = guess.column(role).values
    return guess.sample.form in ("parquet", "jsonl") and values.dtype == pl.String and bool(values.null_count())


def _filters(guess: Guess) -> Iterator[str]:
    kept = _gaps(guess, ("user", "item", "domain"))
    nulls = [guess.roles[r] for r in ("user", "item", "domain") if r in guess.roles and _has_null_text(guess, r)]
    yield from (
        f"        # {name} has nulls, which no filter leaves out: drop these rows from the file." for name in nulls
    )
    late = gap_filter(guess.column("time")) if "time" in guess.roles else ""
    if late:
        yield "        # Rows without a time are left out."
        kept.append(f"{{column: {quoted(_named(guess, 'time'))}, {late}}}")
    if "label" in guess.roles:
        kept.append(f"{{column: {quoted(_named(guess, 'label'))}, at_least: 1}}")
    if kept:
        yield f"        keep: [{', '.join(kept)}]"
    if "event" in guess.roles:
        kinds = ", ".join(f"{quoted(kind)}: 1.0" for kind in guess.column("event").ids)
        yield "        # How much each kind of event counts; a kind that is left out of the list is not read."
        yield f"        event_weights: {{{kinds}}}"
    if "rating" in guess.roles and not kept:
        yield "        # Every rating counts as an event. To keep the good ones only:"
        yield f"        # keep: [{{column: {quoted(_named(guess, 'rating'))}, at_least: 4}}]"


def _items(guess: Guess, folder: Path, plan: Plan) -> Iterator[str]:
    yield f"      # {_seen(guess.sample)}"
    yield f"      # item is {guess.roles['item']}: {guess.reasons['item']}."
    for domain in _domains_of(guess, plan):
        yield f"      - path: {path_in(guess.sample.path, folder)}"
        yield from _format(guess.sample, guess.roles)
        yield f"        item: {quoted(_named(guess, 'item'))}"
        yield f"        {domain}"
        yield f"        text: [{', '.join(map(quoted, guess.text))}]"


def _domains_of(guess: Guess, plan: Plan) -> list[str]:
    """Return the options that say which domains a table of items or links is for, one table for each."""
    if "domain" in guess.roles:
        return [f"domain: {quoted(_named(guess, 'domain'))}"]
    # With shared ids any domain will do to find an item; else each domain looks its own items up.
    domains = plan.domains[:1] if plan.item_ids.value == "shared" else plan.domains[:_EACH]
    return [f"as_domain: {quoted(domain)}" for domain in domains]


def _knowledge(plan: Plan, folder: Path) -> Iterator[str]:
    if not plan.triples:
        return
    tied = plan.link.value == "true" or plan.links or not plan.interactions
    # Triples that touch no item would be an error: they wait as a comment for a table of links.
    off = "" if tied else "# "
    if not tied:
        yield f"    # Triples are left out, since nothing ties them to items: {plan.link.reason}."
    else:
        yield "    # Optional: what is known about items."
    yield f"    {off}triples:"
    for guess in plan.triples:
        yield f"      # {_seen(guess.sample)}"
        yield from (f"      # {role} is {guess.roles[role]}: {reason}." for role, reason in guess.reasons.items())
        yield f"      {off}- path: {path_in(guess.sample.path, folder)}"
        yield from (f"{off}{line}" if off else line for line in _format(guess.sample, guess.roles))
        for role in ("head", "relation", "tail", "confidence"):
            if role in guess.roles:
                yield f"        {off}{role}: {quoted(_named(guess, role))}"
        kept = _gaps(guess, ("head", "relation", "tail"))
        if kept:
            yield "        # Rows without an id are left out."
            yield f"        {off}keep: [{', '.join(kept)}]"
    yield from _links(plan, folder)
    if tied and plan.interactions:
        yield f"    # {plan.link.reason}."
        yield f"    link_by_id: {plan.link.value}"


def _links(plan: Plan, folder: Path) -> Iterator[str]:
    if not plan.links or not plan.interactions:
        return
    yield "    # Which entity stands for which item."
    yield "    links:"
    for guess in plan.links:
        yield f"      # {_seen(guess.sample)}"
        yield from (f"      # {role} is {guess.roles[role]}: {reason}." for role, reason in guess.reasons.items())
        for domain in _domains_of(guess, plan):
            yield f"      - path: {path_in(guess.sample.path, folder)}"
            yield from _format(guess.sample, guess.roles)
            yield f"        item: {quoted(_named(guess, 'item'))}"
            yield f"        entity: {quoted(_named(guess, 'entity'))}"
            yield f"        {domain}"


def _seen(sample: Sample) -> str:
    rows = f"{sample.frame.height:,} rows" if sample.whole else f"{sample.frame.height:,} of its rows looked at"
    how = "" if sample.form in ("parquet", "jsonl") or sample.header else ", no header line"
    return f"{sample.path.name}: {sample.form}, {rows}{how}."


def _format(sample: Sample, roles: Mapping[str, str]) -> Iterator[str]:
    """Yield the options that say how the file is written, where its suffix does not."""
    bare = sample.path.name.lower().removesuffix(".gz").removesuffix(".zst")
    suffix = bare.rpartition(".")[2]
    known = {"parquet": ("parquet", "pq"), "csv": ("csv",), "tsv": ("tsv", "tab"), "jsonl": ("jsonl", "ndjson")}
    if suffix not in known[sample.form]:
        yield f"        format: {sample.form}"
    if sample.form == "csv" and sample.separator != ",":
        yield f"        separator: {json.dumps(sample.separator)}"
    if sample.form in ("csv", "tsv") and not sample.header:
        names = [_of_role(roles, column.name) for column in columns_of(sample.frame)]
        yield f"        columns: [{', '.join(map(quoted, names))}]"


def _of_role(roles: Mapping[str, str], name: str) -> str:
    """Return the name that a column without header gets: its role, else c1, c2 and so on."""
    return next((role for role, column in roles.items() if column == name and role != "maybe_domain"), name)


def _named(guess: Guess, role: str) -> str:
    return guess.roles[role] if guess.sample.header else role
