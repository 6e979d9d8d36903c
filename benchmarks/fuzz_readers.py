"""Fuzz the text readers: mutate small valid files at random; each run must end in tables or one clear error.

    python -m benchmarks.fuzz_readers --minutes 5 --reader tables

Prints how the runs ended; an exception that is no DataError or ConfigError is printed with the folder of
the files that caused it, and makes the exit code 1. The same seed makes the same files.
"""

import argparse
import gzip
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphrec.core.config import parse
from graphrec.core.errors import ConfigError, DataError
from graphrec.data.raw import RawTables
from graphrec.stages.config import IngestConfig
from graphrec.stages.ingest import read


@dataclass(frozen=True)
class Seed:
    """Valid files (name -> content) and the options of the reader; `{folder}` in them is the folder of the files."""

    files: Mapping[str, bytes]
    options: Mapping[str, object]


_CSV = b"user,item,domain,time,rating,kind\n" + b"".join(
    b'u%d,"i, %d",shop,2024-01-%02d,%d,%s\n' % (k % 5, k % 7, k % 28 + 1, k % 5 + 1, (b"buy", b"view")[k % 2])
    for k in range(20)
)
_JSONL = b"".join(
    b'{"user": %d, "item": "i%d", "time": %d, "tags": ["a", "\\u00e9"], "w": %d.5}\n'
    % (k % 4, k % 6, 1700000000 + k, k % 3)
    for k in range(20)
)
_EVENT = {
    "path": "events.csv",
    "time": "time",
    "weight": "rating",
    "event": "kind",
    "event_weights": {"buy": 1.0, "view": 0.5},
    "keep": [{"column": "rating", "at_least": 2.0}],
    "since": "2024-01-03",
}
_TABLES = {
    "csv": Seed({"events.csv": _CSV}, {"interactions": [_EVENT]}),
    "gz": Seed(
        {"events.csv.gz": gzip.compress(_CSV, mtime=0)}, {"interactions": [{**_EVENT, "path": "events.csv.gz"}]}
    ),
    "jsonl": Seed(
        {"events.jsonl": _JSONL},
        {"interactions": [{"path": "events.jsonl", "time": "time", "weight": "w", "as_domain": "d"}]},
    ),
    "wide": Seed(
        {"r.dat": b"1::10::5::978300760\n2::20::3::978300761\n3::10::3::978300762\n"},
        {
            "interactions": [
                {
                    "path": "r.dat",
                    "format": "csv",
                    "separator": "::",
                    "columns": ["user", "item", "rating", "time"],
                    "time": "time",
                    "as_domain": "d",
                }
            ]
        },
    ),
    "facts": Seed(
        {
            "events.tsv": b"user\titem\ts\n1\t10\ttrain\n2\t20\ttest\n1\t20\tvalid\n",
            "items.csv": b"item,title\n10,ten\n20,twenty\n",
            "triples.tsv": b"head\trelation\ttail\tp\tok\n10\tr\tx\t0.5\t1\n20\tr\ty\t1\t0\n",
            "links.jsonl": b'{"item": 10, "entity": "x"}\n{"item": 20, "entity": "y"}\n',
        },
        {
            "interactions": [{"path": "events.tsv", "as_domain": "d", "split": "s"}],
            "items": [{"path": "items.csv", "as_domain": "d", "text": ["title"]}],
            "triples": [{"path": "triples.tsv", "confidence": "p", "label": "ok"}],
            "links": [{"path": "links.jsonl", "as_domain": "d"}],
            "link_by_id": True,
        },
    ),
}

_RECBOLE = Seed(
    {
        "shop/shop.inter": b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        + b"".join(b"u%d\ti%d\t%d.5\t%d\n" % (k % 4, k % 6, k % 5, 1700000000 + k) for k in range(20)),
        "shop/shop.item": b"item_id:token\ttitle:token_seq\tprice:float\ni0\ta b c\t1.5\ni1\td\t2\n",
        "shop/shop.kg": b"head_id:token\trelation_id:token\ttail_id:token\nm.0\tr\tm.7\nm.1\tr\tm.8\n",
        "shop/shop.link": b"item_id:token\tentity_id:token\ni0\tm.0\ni1\tm.1\n",
    },
    {"folders": ["{folder}/shop"], "keep": [{"column": "rating", "at_least": 1.0}]},
)
_KGAT = Seed(
    {
        "train.txt": b"".join(b"%d %d %d %d\n" % (k, k % 5, 5 + k % 3, 8) for k in range(12)),
        "test.txt": b"0 3\n1 4\n",
        "kg_final.txt": b"".join(b"%d %d %d\n" % (k, k % 2, 20 + k % 3) for k in range(9)),
        "relation_list.txt": b"org_id remap_id\nhttp://is 0\nhttp://of 1\n",
    },
    {"folder": "{folder}", "relations": "relation_list.txt"},
)
_AMAZON = Seed(
    {
        "reviews.json": b"".join(
            b'{"reviewerID": "A%d", "asin": "00%d", "overall": %d.0, "unixReviewTime": %d, "reviewText": "\\u00e9"}\n'
            % (k % 4, k % 6, k % 5 + 1, 1400000000 + k)
            for k in range(16)
        ),
        "meta.json": b"{'asin': '001', 'title': 'It\\'s', 'brand': \"B\", 'categories': [['X', 'Y']], 'related': "
        b"{'also_bought': ['002']}}\n" + b'{"asin": "002", "title": "T", "categories": [["X"]]}\n',
        "reviews.jsonl": b"".join(
            b'{"user_id": "A%d", "parent_asin": "B%d", "rating": %d.0, "timestamp": %d}\n'
            % (k % 4, k % 6, k % 5 + 1, 1600000000000 + k)
            for k in range(16)
        ),
        "meta.jsonl": b'{"parent_asin": "B1", "title": "T", "store": "S", "categories": ["X"], "features": ["f"]}\n',
    },
    {
        "folder": "{folder}",
        "domains": [
            {"name": "old", "reviews": "reviews.json", "metadata": "meta.json"},
            {"name": "new", "reviews": "reviews.jsonl", "metadata": "meta.jsonl"},
        ],
        "behaviour": True,
        "min_rating": 2.0,
    },
)

SEEDS: Mapping[str, Mapping[str, Seed]] = {
    "tables": {name: Seed(seed.files, {"folder": "{folder}", **seed.options}) for name, seed in _TABLES.items()},
    "recbole": {"recbole": _RECBOLE},
    "kgat": {"kgat": _KGAT},
    "amazon": {"amazon": _AMAZON},
}
"""Reader -> name of a seed -> the seed; a text reader is one row."""

_SPICE = (
    b"\0",
    b"\xff",
    b'"',
    b"\n",
    b"\r",
    b",",
    b"\t",
    b"::",
    b"{",
    b"}",
    b"[",
    b"\\u",
    b"\\",
    b"-",
    b"1e999",
    b"nan",
)
_SPICE += (
    b"9" * 25,
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"null",
    b"true",
    b" ",
    "日".encode(),
    b"\xe2\x80",
    b"\x1f\x8b",
    b"PAR1",
    b"a" * 70_000,
)


def mutate(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Return `content` after one to four random changes; `other` is spliced in at times."""
    for _ in range(int(rng.integers(1, 5))):
        start, stop = sorted(int(place) for place in rng.integers(0, len(content) + 1, size=2))
        short = min(stop, start + int(rng.integers(1, 9)))
        kind = int(rng.integers(8))
        if kind == 0 and start < len(content):
            content = content[:start] + bytes([content[start] ^ (1 << int(rng.integers(8)))]) + content[start + 1 :]
        elif kind == 1:
            content = content[:start] + content[short:]
        elif kind == 2:
            content = content[:stop] + content[start:stop] + content[stop:]
        elif kind == 3:
            content = content[:start] + other[start % (len(other) + 1) :]
        elif kind == 4:
            content = content[:start]
        elif kind == 5:
            content = content[:start] + rng.bytes(int(rng.integers(1, 6))) + content[start:]
        elif kind == 6:
            content = content[:start] + _SPICE[int(rng.integers(len(_SPICE)))] + content[short:]
        else:
            content = content[:start] + content[stop:]
    return content


def run_once(reader: str, seed: Seed, folder: Path, rng: np.random.Generator) -> str:
    """Write mutated files to `folder`, read them, and return how that ended; anything unclear escapes."""
    contents = list(seed.files.values())
    for name, content in seed.files.items():
        other = contents[int(rng.integers(len(contents)))]
        plain = gzip.decompress(content) if name.endswith(".gz") and rng.random() < 0.7 else None
        made = mutate(content, other, rng) if plain is None else gzip.compress(mutate(plain, other, rng), 1, mtime=0)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made if len(contents) == 1 or rng.random() < 0.6 else content)
    try:
        _exhaust(read(parse(IngestConfig, {"reader": reader, reader: _placed(seed.options, folder)}, source="fuzz")))
    except (DataError, ConfigError) as error:
        assert str(error).strip(), "an error without words"
        return type(error).__name__
    return "tables"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz one reader for some minutes; return 1 if anything but a clear error escaped."""
    parser = argparse.ArgumentParser(description="Fuzz a text reader.")
    parser.add_argument("--reader", choices=sorted(SEEDS), default="tables")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    ends, escaped, number = Counter[str](), 0, 0
    deadline = time.monotonic() + 60 * chosen.minutes
    while time.monotonic() < deadline:
        for name, seed in SEEDS[chosen.reader].items():
            rng = np.random.default_rng([chosen.seed, number])
            number += 1
            folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{chosen.reader}-{name}-"))
            try:
                ends[f"{name}: {run_once(chosen.reader, seed, folder, rng)}"] += 1
                _remove(folder)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:  # a panic of Polars is no Exception
                escaped += 1
                print(f"escaped, files kept in {folder}\n{traceback.format_exc(limit=-4)}")
    for end, count in sorted(ends.items()):
        print(f"{end:30} {count:8}")
    print(f"{chosen.reader}: {number} runs, {escaped} escaped")
    return int(escaped > 0)


def _exhaust(raw: RawTables) -> None:
    """Collect the interactions and look at their types, as ingest would."""
    events = raw.interactions.collect(engine="streaming")
    assert events.select("user", "item", "domain", "order", "weight").null_count().sum_horizontal().item() == 0, (
        "nulls in events"
    )


def _placed(options: object, folder: Path) -> object:
    """Put the folder into the options."""
    if isinstance(options, str):
        return options.replace("{folder}", str(folder))
    if isinstance(options, Mapping):
        return {key: _placed(value, folder) for key, value in options.items()}
    return [_placed(value, folder) for value in options] if isinstance(options, list) else options


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()


if __name__ == "__main__":
    raise SystemExit(main())
