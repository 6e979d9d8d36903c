"""The house rules that a machine can check and that no linter of ours does."""

import ast
import tomllib

import pytest

from tests.house import HOME, functions, imported, modules

ADAPTERS = {
    "dgl": "_dgl",
    "faiss": "_faiss",
    "implicit": "_implicit",
    "jinja2": "_jinja2",
    "lightgbm": "_lightgbm",
    "mlflow": "_mlflow",
    "optuna": "_optuna",
    "pykeen": "_pykeen",
    "torch_geometric": "_pyg",
    "transformers": "_transformers",
}


def test_heavy_libraries_are_imported_by_their_adapters_only() -> None:
    wrong = [
        f"{name} imports {used}"
        for name, (path, tree) in modules().items()
        for used in imported(tree)
        if (adapter := ADAPTERS.get(used.split(".")[0])) and path.stem != adapter
    ]
    assert not wrong


def test_every_folder_stands_under_a_contract() -> None:
    contracts = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = {part.strip() for line in contracts[0]["layers"] for part in line.split("|")}
    folders = {name.rpartition(".")[0] or name for name in modules()} | {"graphrec.api"}
    assert not [f for f in folders if f != "graphrec" and not any(f == n or f.startswith(f"{n}.") for n in named)]
    stages = {
        name for name in modules() if name.startswith("graphrec.stages.") and not name.split(".")[-1].startswith("_")
    }
    assert stages - {"graphrec.stages.config"} == set(contracts[1]["modules"])


def test_functions_import_nothing_outside_the_composition_root() -> None:
    wrong = {
        f"{name}.{function.name}"
        for name, (_, tree) in modules().items()
        if not name.startswith("graphrec.cli")
        for function in functions(tree)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    }
    assert not wrong


def test_nothing_prints_pickles_or_evaluates() -> None:
    banned = {"print", "eval", "exec"}
    wrong = {
        f"{name}: {node.func.id}"
        for name, (_, tree) in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in banned
    }
    assert not wrong
    assert not [name for name, (_, tree) in modules().items() if {"pickle", "joblib", "dill"} & set(imported(tree))]


@pytest.mark.parametrize("name", ["graphrec", "pretrain", "finetune", "kg_denoise"])
def test_what_must_precede_torch_is_set_by_each_package(name: str) -> None:
    assert 'os.environ.setdefault("OMP_WAIT_POLICY", "passive")' in (HOME / name / "__init__.py").read_text()
