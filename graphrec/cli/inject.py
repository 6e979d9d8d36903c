"""`graphrec inject`: a user's own triples with wrong ones mixed in, to see what denoising finds on them."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from graphrec.cli.config import RunConfig, load_config
from graphrec.core.errors import ConfigError, DataError
from graphrec.core.types import BoolArray, IntArray
from graphrec.data.config import CorruptConfig
from graphrec.data.corrupt import TRUE, mix, needs_near
from graphrec.data.dataset import Dataset, Triples
from graphrec.data.kinds import KINDS
from graphrec.data.nearness import entity_text, near_tails
from graphrec.stages.ingest import ingest, read

TRIPLES, TRUTH = "triples.parquet", "truth.parquet"


def inject_wrong(
    path: Path, overrides: list[str], out: Path, *, share: float, kind: str, seed: int | None
) -> list[str]:
    """Write both tables into the new folder `out` and return what to tell the user.

    `triples.parquet` has head, relation, tail, confidence in the user's own ids; `truth.parquet` has the same
    rows with is_true and kind: true, a kind of corruption, or labelled, for a triple that the user's own
    labels call wrong. Raises `ConfigError` and `DataError`.
    """
    config = load_config(path, overrides)
    if config.ingest.corrupt.share:
        raise ConfigError(f"{path}: ingest.corrupt.share: is set already; expected 0, or add ingest.corrupt.share=0")
    # Both are asked before the work, so that it does not end in a refusal.
    out, _ = _checked(out), needs_near(kind)
    triples, truth = corrupted(config, share=share, kind=kind, seed=config.seed if seed is None else seed)
    _write(out, {TRIPLES: triples, TRUTH: truth})
    num = truth["kind"].is_in(KINDS).sum()
    return [f"wrote {out}: {len(truth):,} triples, {num:,} of them wrong on purpose", *_usage(config, path, out)]


def corrupted(config: RunConfig, *, share: float, kind: str, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the triples of the run with a `share` of wrong ones of `kind` mixed in, and the truth, row by row."""
    clean = replace(config.ingest, corrupt=CorruptConfig())
    built, labels = ingest(read(clean), clean, seed=config.seed)
    dataset, num = built.dataset, len(built.dataset.entities)
    if not len(dataset.triples):
        raise DataError("ingest: the data have no triples, so there is nothing to inject wrong ones into")
    near = near_tails(dataset.triples, num, entity_text(dataset), seed=seed) if needs_near(kind) else None
    mixed, order, kinds = mix(dataset.triples, share, num_entities=num, seed=seed, kind=kind, near=near)
    wrong = np.zeros(len(mixed), dtype=np.bool_)
    if labels is not None:
        own = order < len(dataset.triples)
        wrong[own] = (~labels.fill_null(True)).to_numpy()[order[own]]
    return _named(dataset, mixed), _named(dataset, mixed).with_columns(**_told(kinds, wrong))


def _named(dataset: Dataset, triples: Triples) -> pl.DataFrame:
    relations = pl.Series(dataset.relations, dtype=pl.String)
    return pl.DataFrame(
        {
            "head": dataset.entities.decode(triples.head),
            "relation": relations.gather(triples.relation),
            "tail": dataset.entities.decode(triples.tail),
            "confidence": triples.confidence,
        }
    )


def _told(kind: IntArray, wrong: BoolArray) -> dict[str, pl.Series]:
    names = pl.Series([*KINDS, "true", "labelled"])
    place = np.where(kind != TRUE, kind, len(KINDS) + wrong)
    return {"is_true": pl.Series((kind == TRUE) & ~wrong), "kind": names.gather(place)}


def _checked(out: Path) -> Path:
    out = out.expanduser().resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is not an empty folder; choose another or remove it")
    return out


def _write(out: Path, tables: dict[str, pl.DataFrame]) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            for name, table in tables.items():
                table.write_parquet(part / name)
            # Temporary folders are private; this one is to be read by others.
            part.chmod(0o755)
            part.replace(out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{error.filename or out}: cannot be written: {error.strerror or error}") from None


def _usage(config: RunConfig, path: Path, out: Path) -> list[str]:
    if config.ingest.reader != "tables":
        return [
            f"the reader {config.ingest.reader} takes no other triples; for a run with wrong ones mixed in, use",
            f"  graphrec run {path} ingest.corrupt.share=SHARE ingest.corrupt.kind=KIND",
        ]
    return [
        "to see in the report what denoising finds, put this in place of the triples in a copy of the configuration:",
        "ingest:",
        "  tables:",
        "    triples:",
        f'      - {{path: "{out / TRUTH}", confidence: confidence, label: is_true}}',
        f"{TRIPLES} is the same table without the truth; leave out `label` with it",
    ]
