"""Shipped configurations: in the wheel beside the package, in a checkout in `configs/`."""

import difflib
from pathlib import Path

import graphrec
from graphrec.core.errors import ConfigError
from graphrec.core.files import write_text


def example_folder() -> Path:
    """Return the folder of the shipped YAML files."""
    package = Path(graphrec.__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def list_examples() -> list[str]:
    """Return one line per example: its name and the first line of its header."""
    found = sorted(example_folder().glob("*.yaml"))
    width = max((len(path.stem) for path in found), default=0)
    return [f"{path.stem:<{width}} {path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}" for path in found]


def write_example(name: str, out: Path | None) -> Path:
    """Write the example `name` to `out`; raise `ConfigError` on an unknown name or an existing file."""
    known = {path.stem: path for path in example_folder().glob("*.yaml")}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(known))}"
        raise ConfigError(f"no example {name!r}{hint}")
    path = out or Path(f"{name}.yaml")
    if path.exists():
        raise ConfigError(f"{path}: exists already; choose another file with --out")
    # The header says how to launch it: from where it lies now.
    write_text(path, known[name].read_text(encoding="utf-8").replace(f"configs/{name}.yaml", str(path)))
    return path
