"""The line of stages, each with what came in, what was kept and how long it took."""

from collections.abc import Iterator, Mapping

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.facts import STAGES, Facts

Pair = tuple[str, str]

_DOES = {
    "ingest": "tables in, checked and numbered",
    "denoise": "how likely is each triple true",
    "merge": "one graph of users, items, entities",
    "pretrain": "vectors from the source domains",
    "select": "which sources help the target",
    "adapt": "fine-tune, guarded",
    "longtail": "similar items, also for rare ones",
    "evaluate": "test, full ranking, baselines",
    "export": "files for other systems",
}

_SHOWN = 4
"""Numbers in one box."""


def pipeline(facts: Facts) -> JSON:
    """Return one box per stage: name, what it does, its numbers, seconds, and whether it ran."""
    boxes = [
        {
            "stage": stage,
            "does": _DOES[stage],
            "ran": stage in facts.summaries,
            "seconds": formats.seconds(facts.seconds(stage)),
            "numbers": _numbers(facts, stage)[:_SHOWN],
        }
        for stage in STAGES
    ]
    known = [value for stage in STAGES if formats.is_number(value := facts.seconds(stage))]
    return {"boxes": boxes, "total": formats.seconds(sum(known)) if known else ""}


def _numbers(facts: Facts, stage: str) -> list[Pair]:
    """Return what the stage counted: the few numbers chosen for it, else the first scalars of its summary."""
    summary = facts.summary(stage)
    made = list(_CHOSEN[stage](summary)) if stage in _CHOSEN else []
    known = [(name, value) for name, value in made if value != formats.ABSENT]
    return known or [
        (formats.label(key), formats.plain(value)) for key, value in summary.items() if formats.is_number(value)
    ]


def _ingest(summary: JSON) -> Iterator[Pair]:
    summary = summary.get("profile", {})
    domains = summary.get("domains", [])
    events = sum(d.get(f"num_{split}", 0) for d in domains for split in ("train", "valid", "test"))
    yield "users", formats.count(summary.get("num_users"))
    yield "domains, events", f"{len(domains)}, {formats.count(events)}"
    yield "triples", formats.count(summary.get("num_triples"))
    yield "rows dropped", formats.count(sum(summary.get("dropped", {}).values()))


def _denoise(summary: JSON) -> Iterator[Pair]:
    yield "triples", formats.count(summary.get("num_triples"))
    yield "estimated wrong", formats.percent(summary.get("noise_share"))
    below = [r.get("num_below_half", 0) for r in summary.get("relations", [])]
    yield "more likely wrong than right", formats.count(sum(below)) if below else formats.ABSENT


def _merge(summary: JSON) -> Iterator[Pair]:
    nodes = [value for key, value in summary.items() if key.startswith("num_") and key.endswith("_nodes")]
    yield "nodes", formats.count(sum(nodes)) if nodes else formats.ABSENT
    yield "event edges", formats.count(summary.get("num_event_edges"))
    yield "knowledge edges", formats.count(summary.get("num_knowledge_edges"))
    yield "triples dropped", formats.count(summary.get("num_triples_dropped"))


def _pretrain(summary: JSON) -> Iterator[Pair]:
    yield "domains", formats.count(len(summary["domains"])) if "domains" in summary else formats.ABSENT
    yield "dimensions", formats.count(summary.get("dim"))
    yield "kept epoch", formats.count(summary.get("best_epoch"))
    inherited = summary.get("inherited")
    if isinstance(inherited, Mapping):
        yield "taken over from", formats.plain(inherited.get("run"))
        yield "users known there", formats.count(inherited.get("users_known"))


def _select(summary: JSON) -> Iterator[Pair]:
    yield "subsets tried", formats.count(len(summary.get("trials", [])))
    yield "chosen", ", ".join(map(str, summary.get("chosen", []))) or "none"


def _adapt(summary: JSON) -> Iterator[Pair]:
    yield "candidates", formats.count(len(summary.get("candidates", [])))
    yield "shipped", formats.model(formats.plain(summary.get("shipped")))


def _longtail(summary: JSON) -> Iterator[Pair]:
    yield "training pairs", formats.count(summary.get("num_pairs"))
    yield "items", formats.count(summary.get("num_items"))
    yield "items without vector", formats.count(summary.get("num_items_without_vector"))
    yield "kept epoch", formats.count(summary.get("best_epoch"))


def _evaluate(summary: JSON) -> Iterator[Pair]:
    yield "test users", formats.count(summary.get("num_users"))
    yield "users not tested", formats.count(summary.get("left_out_users"))
    yield "items ranked", formats.count(summary.get("num_items"))


def _export(summary: JSON) -> Iterator[Pair]:
    yield "users", formats.count(summary.get("num_users"))
    yield "users left out", formats.count(summary.get("num_users_left_out"))
    yield "items", formats.count(summary.get("num_items"))
    yield "index", formats.plain(summary.get("index"))


_CHOSEN = {
    "ingest": _ingest,
    "denoise": _denoise,
    "merge": _merge,
    "pretrain": _pretrain,
    "select": _select,
    "adapt": _adapt,
    "longtail": _longtail,
    "evaluate": _evaluate,
    "export": _export,
}
