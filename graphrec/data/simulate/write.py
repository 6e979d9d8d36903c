"""A world on disk: the tables and a ready configuration in one folder, the truth in another."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import yaml

from graphrec.core.config import apply_overrides, parse, to_mapping
from graphrec.core.errors import DataError
from graphrec.core.files import write_json, write_text
from graphrec.data.simulate.config import SimulateConfig
from graphrec.data.simulate.world import World, simulate

CONFIG = "world.yaml"
"""The run configuration that is written beside the tables."""


def plant(out: Path, overrides: Sequence[str] = (), truth: Path | None = None) -> World:
    """Simulate with `key=value` overrides of `SimulateConfig` and write; `truth` defaults to `truth_folder(out)`.

    Raises `ConfigError` on a bad option and `DataError` on a folder that is not empty.
    """
    config = parse(SimulateConfig, apply_overrides({}, overrides), source="graphrec simulate")
    truth = truth or truth_folder(out)
    # Asked before the work, so that a long simulation does not end in a refusal.
    _check_folders(out, truth)
    world = simulate(config, config.seed)
    write_world(world, out, truth)
    return world


def truth_folder(out: Path) -> Path:
    """Return where the truth of a world in `out` goes unless told otherwise."""
    return Path(f"{out.expanduser().resolve()}-truth")


def write_world(world: World, out: Path, truth: Path) -> None:
    """Write the tables into `out` and the truth into `truth`, both whole or not at all.

    Raises `DataError` when one of them is a file, is not empty, lies within the other, or cannot be written.
    """
    out, truth = _check_folders(out, truth)
    try:
        _write(world, out, truth)
    except OSError as error:
        raise DataError(f"{error.filename or out}: cannot be written: {error.strerror or error}") from None


def _write(world: World, out: Path, truth: Path) -> None:
    with _Pending(out) as tables, _Pending(truth) as told:
        _write_tables(world.tables, tables.part)
        write_text(tables.part / CONFIG, _run_config(world, out))
        _write_tables(world.truth, told.part)
        write_json(told.part / "truth.json", _facts(world))
        # The truth goes first: tables that are in place then always have theirs.
        told.keep()
        tables.keep()


class _Pending:
    """A folder under a temporary name beside `path`; `keep` gives it its name, an error takes it away again."""

    def __init__(self, path: Path) -> None:
        self.path, self.kept = path, False
        path.parent.mkdir(parents=True, exist_ok=True)
        self.part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))

    def __enter__(self) -> "_Pending":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        shutil.rmtree(self.part, ignore_errors=True)
        if error is not None and self.kept:
            shutil.rmtree(self.path, ignore_errors=True)

    def keep(self) -> None:
        """Move the folder to its place; an empty folder there gives way."""
        # Temporary folders are private; this one is to be read by others.
        self.part.chmod(0o755)
        self.part.replace(self.path)
        self.kept = True


def _check_folders(out: Path, truth: Path) -> tuple[Path, Path]:
    out, truth = out.expanduser().resolve(), truth.expanduser().resolve()
    if out == truth or out in truth.parents or truth in out.parents:
        raise DataError(f"{truth}: the truth must stand apart from the tables in {out}; choose another --truth")
    for folder in (out, truth):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder}: exists and is not an empty folder; choose another or remove it")
    return out, truth


def _write_tables(tables: dict[str, pl.DataFrame], folder: Path) -> None:
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")


def _facts(world: World) -> dict[str, object]:
    return {
        "target": world.target,
        "true_subset": world.true_subset,
        "roles": dict(sorted(world.roles().items())),
        "seed": world.seed,
        "config": to_mapping(world.config),
    }


def _run_config(world: World, out: Path) -> str:
    tables = {
        "folder": str(out),
        "about": "A planted world, made by graphrec simulate; no real people or products.",
        "interactions": [{"path": "interactions.parquet", "time": "timestamp"}],
        "items": [{"path": "items.parquet", "text": ["title", "text"]}],
        "triples": [{"path": "triples.parquet", "confidence": "confidence"}],
        "links": [{"path": "links.parquet"}],
    }
    run = {"name": out.name, "target": world.target, "seed": world.seed, "ingest": {"tables": tables}}
    text = yaml.safe_dump(run, sort_keys=False, allow_unicode=True, width=110)
    return f"# A planted world, made by graphrec simulate.\n# Run it with: graphrec run {CONFIG}\n{text}"
