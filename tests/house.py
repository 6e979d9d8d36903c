"""What the tests of the house and the tripwire report both read: the tree of the four packages."""

import ast
from collections.abc import Iterator
from pathlib import Path

HOME = Path(__file__).parent.parent
PACKAGES = ("graphrec", "pretrain", "finetune", "kg_denoise")


def modules() -> dict[str, tuple[Path, ast.Module]]:
    """Module name -> its file and syntax tree."""
    found = {}
    for package in PACKAGES:
        for path in sorted((HOME / package).rglob("*.py")):
            name = ".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__")
            found[name] = (path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module named by an import statement below `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function below `tree`, methods and inner ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    total = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    return total - ((first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) is not None else 0)
