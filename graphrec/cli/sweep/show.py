"""What a study has found so far: a table, `sweep.json`, and `best.yaml`, which `graphrec run` takes."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from graphrec.cli.sweep._optuna import SharedStudy
from graphrec.cli.sweep.draw._optuna import importances
from graphrec.cli.sweep.trial import Plan
from graphrec.core import files
from graphrec.core.config import apply_overrides
from graphrec.core.locks import held
from graphrec.core.types import JSON

_ROWS = 10


def found_so_far(study: SharedStudy, plan: Plan) -> JSON:
    """Return what `sweep.json` holds; `best` is the front where there are several objectives."""
    names = [objective.name for objective in plan.objectives]
    rows = [_row(trial, plan) for trial in study.trials() if "void" not in trial.user_attrs]
    front = {trial.number for trial in study.study.best_trials} if study.results() else set()
    sign = -1 if plan.objectives[0].larger_is_better else 1
    ranked = sorted((r for r in rows if r["values"]), key=lambda r: (sign * r["values"][0], r["trial"]))
    return {
        "study": study.study.study_name,
        "objectives": names,
        "asked": study.size,
        "states": {state: sum(r["state"] == state for r in rows) for state in sorted({r["state"] for r in rows})},
        "best": [row["trial"] for row in ranked if row["trial"] in front],
        "importances": {name: importances(study.study, place) for place, name in enumerate(names)},
        "trials": rows,
    }


def write_found(found: JSON, plan: Plan, given: Mapping[str, Any]) -> None:
    """Write `sweep.json` and, once there is a best trial, `best.yaml`: `given`, the file's own options, and its."""
    with held(plan.folder / "locks" / "sweep", "sweep.json"):
        files.write_json(plan.folder / "sweep.json", found)
        if found["best"]:
            best = _trial(found, found["best"][0])
            mapping = apply_overrides({k: v for k, v in given.items() if k != "sweep"}, best["overrides"])
            head = f"# Trial {best['trial']} of {found['study']}: {_values(found, best)}\n# Run it with: graphrec run "
            text = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True)
            files.write_text(plan.folder / "best.yaml", f"{head}{plan.folder / 'best.yaml'}\n{text}")


def print_found(found: JSON, plan: Plan, config: str, given: Sequence[str], *, written: bool = True) -> None:
    """Print how far the study is, its best trials or its front, what matters, and how to repeat the best one.

    `config` and `given` are the file and the overrides that the study was started with; `written` says whether
    `best.yaml` holds the best one.
    """
    console, names = Console(), found["objectives"]
    states = ", ".join(f"{count} {state.lower()}" for state, count in found["states"].items()) or "no trial yet"
    console.print(Text(f"study {found['study']}: {found['asked']} trials asked for; {states}"))
    if not found["best"]:
        return
    console.print(Text("no trial is better in everything than one of these:" if len(names) > 1 else "best trials:"))
    shown = _shown(found, plan)
    ships = ["ships"] if any(row["ships"] for row in shown) else []
    table = Table("trial", *names, *ships, "options", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in shown:
        values, what = (f"{v:.4f}" for v in row["values"]), [row["ships"] or ""] if ships else []
        table.add_row(str(row["trial"]), *values, *what, Text("\n".join(row["overrides"]), overflow="fold"))
    console.print(table)
    for name, shares in found["importances"].items():
        if shares:
            console.print(Text(f"importance for {name}: " + ", ".join(f"{k} {v:.2f}" for k, v in shares.items())))
    usual = plan.folder == Path("runs") / plan.config.name
    out = [] if usual else ["--out", str(plan.folder)]
    best = shlex.join(["graphrec", "run", config, *given, *_trial(found, found["best"][0])["overrides"], *out])
    console.print(Text(f"trial {found['best'][0]} again: {best}"), soft_wrap=True)
    if written:
        file = shlex.join(["graphrec", "run", str(plan.folder / "best.yaml"), *out])
        console.print(Text(f"or: {file}"), soft_wrap=True)


def _shown(found: JSON, plan: Plan) -> list[JSON]:
    if len(plan.objectives) > 1:
        return [_trial(found, number) for number in found["best"]]
    sign = -1 if plan.objectives[0].larger_is_better else 1
    complete = [row for row in found["trials"] if row["values"] and row["state"] == "COMPLETE"]
    return sorted(complete, key=lambda row: (sign * row["values"][0], row["trial"]))[:_ROWS]


def _row(trial: Any, plan: Plan) -> JSON:
    whole = trial.params.keys() >= set(plan.space.names)
    return {
        "trial": trial.number,
        # Lost with its worker, or given back: another trial has its values.
        "state": "LOST" if trial.state.name == "FAIL" and "error" not in trial.user_attrs else trial.state.name,
        "values": trial.values if trial.state.name == "COMPLETE" else None,
        "overrides": plan.space.overrides(trial.params) if whole else [],
        "ships": trial.user_attrs.get("ships"),
        "error": trial.user_attrs.get("error"),
    }


def _trial(found: JSON, number: int) -> JSON:
    row: JSON = next(row for row in found["trials"] if row["trial"] == number)
    return row


def _values(found: JSON, row: JSON) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in zip(found["objectives"], row["values"], strict=True))
