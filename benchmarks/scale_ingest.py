"""Ingest at scale: from one parquet file to the finished artifact, beside a plain scan and group-by.

    python -m benchmarks.scale_ingest --rows 1e7 1e8 --out FOLDER
    python -m benchmarks.scale_ingest --rows 1e7 --out FOLDER --ids    # numbering user ids: ours, Polars, Arrow

Generates interactions (a user for every five rows, an item for every fifty, eight domains, text ids), then
times in processes of their own: Polars' streaming scan + group-by of user, item and domain, and
`graphrec ingest` on the same file, start of the interpreter and checksums included. Prints a Markdown
table with the peak memory of each process.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphrec.core.seeds import generator
from graphrec.data.encode import number

SHARES = (0.30, 0.20, 0.15, 0.10, 0.10, 0.07, 0.05, 0.03)
"""Share of events of each domain."""

GROUP_BY = """
import sys, polars as pl
table = pl.scan_parquet(sys.argv[1]).group_by("user", "item", "domain").agg(pl.col("timestamp").min())
print(table.select(pl.len()).collect(engine="streaming").item())
"""

CONFIG = """
name: scale
ingest:
  tables:
    folder: {folder}
    interactions:
      - {{path: {name}, time: timestamp}}
"""


def main() -> None:
    """Generate what is missing, run both programs on every size, print the table."""
    options = _arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = ["| rows | scan + group-by, s | GiB | ingest, s | GiB | ratio |", "|---|---|---|---|---|---|"]
    for size in map(int, options.rows):
        path = options.out / f"events_{size}.parquet"
        if not path.exists():
            generate(path, size)
        if options.ids:
            compare_ids(path)
            continue
        plain = measure([sys.executable, "-c", GROUP_BY, str(path)])
        config, run = path.with_suffix(".yaml"), options.out / f"run_{size}"
        config.write_text(CONFIG.format(folder=path.parent.resolve(), name=path.name), encoding="utf-8")
        shutil.rmtree(run, ignore_errors=True)
        program = Path(sys.executable).parent / "graphrec"
        ours = measure([str(program), "ingest", str(config), "--out", str(run), "--no-track"])
        rows.append(
            f"| {size:,} | {plain[0]:.1f} | {plain[1]:.1f} | {ours[0]:.1f} | {ours[1]:.1f} | {ours[0] / plain[0]:.2f} |"
        )
        print("\n".join(rows), flush=True)


def generate(path: Path, num_rows: int, block: int = 5_000_000) -> None:
    """Write `num_rows` events to `path`: skewed users and items, times over a year, no order."""
    num_users, num_items = num_rows // 5, num_rows // 50 // len(SHARES)
    unfinished, writer = path.with_suffix(".part"), None
    for start in range(0, num_rows, block):
        random, size = generator(0, "scale", start), min(block, num_rows - start)
        user = (random.random(size) ** 1.5 * num_users).astype(np.int64) * 7_368_787 % num_users
        domain = random.choice(len(SHARES), size=size, p=SHARES)
        item = (random.random(size) ** 2.5 * num_items).astype(np.int64) * len(SHARES) + domain
        table = pl.DataFrame(
            {
                "user": user,
                "item": item,
                "domain": domain,
                "timestamp": 1_600_000_000 + random.integers(0, 3 * 10**7, size),
            }
        )
        named = table.select(
            user=pl.format("user_{}", pl.col("user").cast(pl.String).str.zfill(8)),
            item=pl.format("i{}", "item"),
            domain=pl.format("domain_{}", "domain"),
            timestamp="timestamp",
        ).to_arrow()
        writer = writer or pq.ParquetWriter(unfinished, named.schema, compression="zstd")
        writer.write_table(named, row_group_size=1_000_000)
    assert writer is not None
    writer.close()
    unfinished.rename(path)


def compare_ids(path: Path) -> None:
    """Print the seconds that numbering the user ids takes, in the order of the ids, by three programs."""
    column = pl.scan_parquet(path).select("user")
    number(column.head(10), "user")
    start = time.monotonic()
    known, codes = number(column, "user")
    print(f"ours: {time.monotonic() - start:.1f} s")
    start = time.monotonic()
    listed = column.unique().sort("user").with_row_index("code")
    joined = column.join(listed, on="user", how="left", maintain_order="left").collect(engine="streaming")
    print(f"Polars unique, sort, join: {time.monotonic() - start:.1f} s")
    start = time.monotonic()
    coded = pq.read_table(path, columns=["user"])["user"].combine_chunks().dictionary_encode()
    place = np.empty(len(coded.dictionary), dtype=np.int32)
    place[pc.sort_indices(coded.dictionary).to_numpy()] = np.arange(len(place), dtype=np.int32)
    arrow = place[coded.indices.to_numpy()]
    print(f"Arrow dictionary, sort: {time.monotonic() - start:.1f} s")
    assert len(known) == len(place)
    assert (codes == arrow).all() and (codes == joined["code"].to_numpy()).all()


def measure(command: list[str]) -> tuple[float, float]:
    """Return the seconds and the peak GiB of `command`, run in a process of its own."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: failed with status {status}")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, nargs="+", default=[1e7, 1e8])
    parser.add_argument("--ids", action="store_true", help="compare ways of numbering ids instead")
    parser.add_argument("--out", type=Path, default=Path("runs/scale"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
