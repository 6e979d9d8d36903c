"""The stage table: what there is, in which order, from what. Rows are read without importing a stage."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One row.

    `shell` is "module:function"; `libraries` are those whose version could change the outcome;
    `section` names the options that the shell gets, by default those of the stage's name; `objectives` is all that
    the stage records on validation (`Record.measure`), for a sweep to choose by. A run stops where that is not so.
    """

    name: str
    shell: str
    parents: tuple[str, ...]
    libraries: tuple[str, ...]
    for_target: bool = True
    section: str = ""
    objectives: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Return the module of the shell."""
        return self.shell.partition(":")[0]


STAGES = {
    row.name: row
    for row in (
        Stage(
            name="ingest",
            shell="graphrec.stages.ingest:run",
            parents=(),
            libraries=("numpy", "polars"),
            for_target=False,
        ),
        Stage(
            name="denoise",
            shell="kg_denoise.stage:run",
            parents=("ingest",),
            libraries=(
                "lightgbm",
                "numba",
                "numpy",
                "polars",
                "pykeen",
                "scikit-learn",
                "scipy",
                "torch",
                "transformers",
            ),
            for_target=False,
        ),
        Stage(
            name="merge",
            shell="graphrec.stages.merge:run",
            parents=("ingest", "denoise"),
            libraries=("numpy", "polars", "scipy", "transformers"),
            for_target=False,
        ),
        Stage(
            name="pretrain",
            shell="pretrain.stage:run",
            parents=("ingest", "merge"),
            libraries=("numba", "numpy", "scipy", "torch"),
            objectives=("ndcg@10", "hr@10"),
        ),
        Stage(
            name="select",
            shell="finetune.stage:run_select",
            parents=("ingest", "merge", "pretrain"),
            libraries=("numba", "numpy", "scipy", "torch"),
        ),
        Stage(
            name="adapt",
            shell="finetune.stage:run_adapt",
            parents=("ingest", "merge", "pretrain", "select"),
            libraries=("numba", "numpy", "scipy", "torch"),
            objectives=("ndcg@10",),
        ),
        Stage(
            name="longtail",
            shell="graphrec.stages.longtail:run",
            parents=("ingest", "merge", "adapt"),
            libraries=("numba", "numpy", "polars", "scipy", "torch"),
            objectives=("hr@20", "hr@20.head", "hr@20.mid", "hr@20.tail", "hr@20.cold"),
        ),
        Stage(
            name="evaluate",
            shell="graphrec.stages.evaluate:run",
            parents=("ingest", "adapt", "longtail"),
            libraries=("implicit", "numba", "numpy", "scipy"),
        ),
        Stage(
            name="export",
            shell="graphrec.stages.export:run",
            parents=("ingest", "adapt", "longtail"),
            libraries=("faiss-cpu", "numpy", "polars"),
        ),
    )
}
"""Stage name -> row, in the order of a run."""

INHERIT = replace(STAGES["pretrain"], shell="pretrain.inherit:run", parents=("ingest",), section="base", objectives=())
"""Stands in for `pretrain` when a finished run's views are taken over."""


def needed(stage: str) -> list[str]:
    """Return `stage` and everything before it that it needs, in the order of a run."""
    wanted, todo = set[str](), [stage]
    while todo:
        name = todo.pop()
        wanted.add(name)
        todo += STAGES[name].parents
    return [name for name in STAGES if name in wanted]
