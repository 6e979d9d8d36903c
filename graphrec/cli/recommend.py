"""Top items for users of a finished run, as a parquet file."""

from pathlib import Path

import polars as pl

from graphrec import api
from graphrec.core.errors import DataError


def write_recommendations(run: Path, out: Path, *, domain: str | None, k: int, users: Path | None) -> Path:
    """Write user, item, rank, score to `out` by rename; raise `DataError` on unknown users."""
    if out.suffix != ".parquet":
        raise DataError(f"{out}: expected a file name that ends in .parquet")
    loaded = api.load(run)
    table = loaded.recommend(None if users is None else _read_users(users), k=k, domain=domain)
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(part)
        return part.replace(out)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error})") from None


def _read_users(path: Path) -> pl.Series:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    return pl.Series("user", [line for line in lines if line.strip()], dtype=pl.String)
