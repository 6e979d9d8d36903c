"""The shells of `select` and `adapt`: inputs from artifacts, outputs to the stage's folder."""

from collections.abc import Mapping

from safetensors.numpy import save_file

from finetune.adapt import adapt
from finetune.config import AdaptConfig, SelectConfig
from finetune.select import select
from finetune.target import Target
from finetune.task import BASE, CUTOFF
from graphrec.core import files
from graphrec.core.records import Record
from graphrec.core.stage import StageContext
from graphrec.encoders.pretrained import SOURCES, Pretrained
from graphrec.graph.graph import MultiDomainGraph
from graphrec.training.checkpoint import hand_over


def run_select(context: StageContext, config: SelectConfig) -> None:
    """Choose the source domains of the run's target; the summary holds every trial."""
    target = _target(context)
    selection = select(
        target, config, context.search, seed=context.seed, workspace=context.workspace, tracker=context.tracker
    )
    hand_over(BASE, context.workspace.path, context.out)
    summary = selection.summary(target)
    named = {"+".join(trial["domains"]) or "none": trial["value"] for trial in summary["trials"]}
    context.finish(summary, _records(context, "select", named))


def run_adapt(context: StageContext, config: AdaptConfig) -> None:
    """Fit the target on what select chose, and write `adapted.safetensors`."""
    selected = context.inputs["select"]
    chosen = tuple(files.read_json(selected.file("summary.json"))["chosen"])
    hand_over(BASE, selected.path, context.workspace.path)
    adapted = adapt(
        _target(context), chosen, config, seed=context.seed, workspace=context.workspace, tracker=context.tracker
    )
    save_file(dict(adapted.arrays), context.out / "adapted.safetensors")
    named = {row["name"]: row["valid_ndcg10"] for row in adapted.summary["candidates"]}
    context.finish(adapted.summary, _records(context, "adapt", named))


def _target(context: StageContext) -> Target:
    graph = MultiDomainGraph.load(context.inputs["merge"].path)
    before = context.inputs["pretrain"].path
    pretrained = Pretrained.load(before)
    # In the order of pretraining, whatever order the run names them in.
    sources = [domain for domain in pretrained.domains if domain in context.sources]
    # A run that inherits its views has the sources' events and knowledge from there.
    beside = MultiDomainGraph.load(before / SOURCES) if (before / SOURCES).is_dir() else None
    return Target.of(graph, context.target, pretrained, sources, beside)


def _records(context: StageContext, stage: str, values: Mapping[str, float | None]) -> list[Record]:
    return [
        Record(
            stage=stage,
            domain=context.target,
            split="valid",
            group="all",
            model=model,
            metric="ndcg",
            k=CUTOFF,
            seed=context.seed,
            value=value,
        )
        for model, value in values.items()
        if value is not None
    ]
