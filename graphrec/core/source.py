"""Hash of the source that a stage runs: its own files and every library folder it imports.

Found by reading import statements, not by importing, so it is quick and sees lazy imports too.
Registries name classes as text, hence whole folders are taken; stages and the core go module by
module. What only prints or records is left out: it cannot change a byte of an artifact.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

ROOTS = ("graphrec", "pretrain", "finetune", "kg_denoise")
_SKIPPED = (
    "graphrec.cli",
    "graphrec.report",
    "graphrec.api",
    "graphrec.core.progress",
    "graphrec.core.tracking",
    "graphrec.core.errors",
)


def source_hash(module: str) -> str:
    """Return the SHA-256 of the code behind `module` (`graphrec.stages.merge`, `pretrain`, ...)."""
    digest = hashlib.sha256()
    for name, path in sorted(_closure(module)):
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _closure(module: str) -> set[tuple[str, Path]]:
    todo, done, found = [module], set[str](), set[tuple[str, Path]]()
    while todo:
        unit = todo.pop()
        if unit in done or unit.startswith(_SKIPPED):
            continue
        done.add(unit)
        for path in _files(unit):
            found.add((f"{unit}/{path.name}", path))
            todo += [_unit(name) for name in _imports(path)]
    return found


@cache
def _files(unit: str) -> tuple[Path, ...]:
    spec = find_spec(unit)
    if spec is None or spec.origin is None:
        return ()
    origin = Path(spec.origin)
    return tuple(sorted(origin.parent.rglob("*.py"))) if origin.name == "__init__.py" else (origin,)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    return tuple(name for name in _names(ast.parse(path.read_text(encoding="utf-8"))) if name.split(".")[0] in ROOTS)


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _unit(name: str) -> str:
    # graphrec.encoders.views.X -> graphrec.encoders; pretrain.config -> pretrain; stages and the core by module.
    parts = name.split(".")
    if parts[0] != "graphrec":
        return parts[0]
    return ".".join(parts[:3] if parts[1:2] in (["stages"], ["core"]) else parts[:2])
