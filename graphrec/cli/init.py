"""`graphrec init FILES`: look at the files, propose a configuration, write it with its reasons."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from graphrec.cli.config import RunConfig
from graphrec.core.config import parse, parse_yaml
from graphrec.core.errors import ConfigError
from graphrec.core.files import write_text
from graphrec.data.sniff import Plan, as_yaml, make_plan, read_samples


def write_config(paths: list[Path], out: Path | None) -> list[str]:
    """Write the proposal for the files `paths` to `out` (own.yaml by default); return what to tell the user.

    Raises `ConfigError` when the file exists, and `DataError` when the files hold neither interactions
    nor triples.
    """
    path = out or Path("own.yaml")
    if path.exists():
        raise ConfigError(f"{path}: exists already; choose another file with --out")
    plan = make_plan(read_samples(paths))
    text = as_yaml(plan, path.stem)
    # A proposal that does not load would be a bug of ours: better found here than by the user.
    parse(RunConfig, parse_yaml(text, source=str(path)), source=str(path))
    write_text(path, text)
    return [*_told(plan), f"wrote {path}; next: graphrec inspect {path}"]


def _told(plan: Plan) -> Iterator[str]:
    """Say in a line for each file what it was taken for."""
    if plan.reader != "tables":
        yield from (f"{path.name}: for the reader {plan.reader}" for path in plan.files)
    for entry in plan.interactions:
        yield f"{entry.guess.sample.path.name}: interactions ({_roles(entry.guess.roles)})"
    for kind in ("items", "triples", "links"):
        yield from (f"{guess.sample.path.name}: {kind} ({_roles(guess.roles)})" for guess in getattr(plan, kind))
    yield from (f"{path.name}: not used, {why}" for path, why in plan.unused)


def _roles(roles: Mapping[str, str]) -> str:
    return ", ".join(f"{role} = {column}" for role, column in roles.items() if role != "maybe_domain")
