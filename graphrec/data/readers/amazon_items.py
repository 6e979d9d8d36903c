"""The item files of Amazon Reviews: one object a line, as JSON or as a Python literal, with what a product is.

Facts are brand and category; a category is known by its whole path, since "Accessories" of two shelves are two.
"""

import ast
import json
from collections.abc import Iterator, Set
from pathlib import Path

import polars as pl

from graphrec.core.progress import track
from graphrec.core.types import JSON
from graphrec.data.files.checks import Problems, plural
from graphrec.data.files.textfile import lines
from graphrec.data.raw import TableRead
from graphrec.data.readers.columns import as_triples

_BEHAVIOUR = {
    "also_bought": "also_bought",
    "also_buy": "also_bought",
    "also_viewed": "also_viewed",
    "also_view": "also_viewed",
    "bought_together": "bought_together",
    "buy_after_viewing": "buy_after_viewing",
}
"""Key of any generation -> relation."""

_Fact = tuple[str, str, str]


def read_items(
    path: Path, known: Set[str], text: tuple[str, ...], behaviour: bool, problems: Problems
) -> tuple[pl.DataFrame, pl.DataFrame, TableRead]:
    """Return texts (item, text) and triples of the items in `known`, each item by its first line.

    `behaviour` adds the relations that are co-purchases. Lines that cannot be read are problems.
    """
    texts: dict[str, str] = {}
    facts: dict[_Fact, None] = {}
    rows, wrong = 0, list[int | str]()
    try:
        for number, line in enumerate(track(lines(path), f"reading {path.name}"), start=1):
            if not line.strip():
                continue
            rows += 1
            product = _parsed(line)
            item = None if product is None else _text(product, "parent_asin") or _text(product, "asin")
            if product is None or item is None:
                wrong.append(number)
            elif item in known and item not in texts:
                texts[item] = " ".join(part for name in text for part in _described(product, name))
                facts |= dict.fromkeys(_facts(f"product:{item}", product, behaviour))
    except OSError:
        problems.add(str(path), "the file cannot be opened, or is packed and breaks off", do="fetch it again")
    if wrong:
        said = f"{plural(len(wrong), 'row')} without an item"
        do = "write one JSON object or Python literal a line, with asin (2014) or parent_asin (2023)"
        problems.add(str(path), said, wrong, do=do)
    table = TableRead(kind="items", path=str(path), num_rows=rows, num_kept=len(texts))
    frame = pl.DataFrame(
        {"item": list(texts), "text": list(texts.values())}, schema=dict.fromkeys(("item", "text"), pl.String)
    )
    triples = pl.DataFrame(list(facts), schema=dict.fromkeys(("head", "relation", "tail"), pl.String), orient="row")
    return frame, as_triples(triples, path.name), table


def _parsed(line: bytes) -> JSON | None:
    """Return the object on `line`, or None where there is none."""
    try:
        # JSON has double quotes only, so this prefix saves a parse that must fail.
        literal = line.lstrip().startswith(b"{'")
        found = ast.literal_eval(line.decode().strip()) if literal else json.loads(line)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _facts(product: str, found: JSON, behaviour: bool) -> Iterator[_Fact]:
    for brand in _described(found, "brand"):
        yield product, "made_by", f"brand:{brand}"
    for path in _paths(found):
        names = [f"category:{' > '.join(path[: depth + 1])}" for depth in range(len(path))]
        yield product, "in_category", names[-1]
        yield from ((low, "part_of", high) for high, low in zip(names, names[1:], strict=False))
    related = found.get("related")
    lists = {**found, **related} if isinstance(related, dict) else found
    for key, relation in _BEHAVIOUR.items() if behaviour else ():
        yield from ((product, relation, f"product:{other}") for other in _strings(lists.get(key)))


def _described(found: JSON, name: str) -> list[str]:
    """Return what `found` says under `name`, whatever the generation calls it."""
    match name:
        case "brand":
            return _strings(found.get("brand"))[:1] or _strings(found.get("store"))[:1]
        case "categories":
            return list(dict.fromkeys(name for path in _paths(found) for name in path))
        case "features":
            return _strings(found.get("features")) or _strings(found.get("feature"))
    return _strings(found.get(name))


def _paths(found: JSON) -> list[list[str]]:
    """Return category paths, from the widest to the narrowest; 2014 has several, later ones one."""
    value = found.get("categories") or found.get("category") or found.get("main_category")
    if isinstance(value, list) and any(isinstance(part, list) for part in value):
        return [path for part in value if (path := _strings(part))]
    path = _strings(value)
    return [path] if path else []


def _strings(value: object) -> list[str]:
    """Return the texts in `value`, a text or a list of texts; anything else says nothing."""
    parts = value if isinstance(value, list) else [value]
    return [stripped for part in parts if isinstance(part, str) and (stripped := _whole(part).strip())]


def _text(found: JSON, key: str) -> str | None:
    value = found.get(key)
    return _whole(str(value)) if isinstance(value, str | int) and str(value).strip() else None


def _whole(text: str) -> str:
    """Return `text` with ? for halves of characters, which JSON can write and no table can hold."""
    return text.encode("utf-8", "replace").decode()
