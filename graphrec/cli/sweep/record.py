"""One worker with its record in MLflow: the study's run above, a run for each trial below."""

from collections.abc import Callable, Sequence

from graphrec.cli.sweep._optuna import SharedStudy
from graphrec.cli.sweep.draw._optuna import Claim, Pruned
from graphrec.cli.sweep.space import Space
from graphrec.cli.sweep.trial import Plan
from graphrec.cli.sweep.worker import Objective, work
from graphrec.core.locks import held
from graphrec.core.tracking import NullTracker, Tracker

Run = Callable[[Claim, Tracker], Sequence[float]]
"""Runs a trial, which is recorded where the tracker says."""


def work_recorded(study: SharedStudy, plan: Plan, run: Run, *, track: bool) -> None:
    """Be one worker of the study, whose trials are `run`; without `track` nothing is recorded."""
    names = [objective.name for objective in plan.objectives]
    if not track:
        work(study, recorded(NullTracker(), plan.space, names, run))
        return
    from graphrec.cli.sweep._mlflow import close_parent, end_run, open_parent

    tags = {"study": study.study.study_name, "target": plan.config.target, "folder": str(plan.folder)}
    with held(plan.folder / "locks" / "mlflow", "the run of the study in MLflow"):
        parent = open_parent(study.study.study_name, tags, study.recall, study.note)
    try:
        work(study, recorded(parent, plan.space, names, run), lambda dead: end_run(parent, dead, "KILLED"))
    finally:
        if not study.is_open():
            close_parent(parent, "FINISHED")
        elif not study.num_running():
            close_parent(parent, "KILLED")


def recorded(parent: Tracker, space: Space, names: Sequence[str], run: Run) -> Objective:
    """Return `run` with a run of its own below `parent`: overrides, values by `names`, how the trial ended."""

    def objective(claim: Claim) -> Sequence[float]:
        values: Sequence[float] | None = None
        with parent.child(f"trial {claim.number}") as child:
            claim.note("mlflow_run", getattr(child, "run", ""))
            child.log_params(dict(text.split("=", 1) for text in space.overrides(claim.point)))
            try:
                values = run(claim, child)
                child.log_metrics({name.replace("@", "_"): value for name, value in zip(names, values, strict=True)})
            except Pruned:
                child.log_params({"state": "pruned"})
        if values is None:
            raise Pruned
        return values

    return objective
