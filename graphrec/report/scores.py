"""The records of `evaluate` as a table one can ask: models by group, metric and cut-off."""

from collections.abc import Mapping
from dataclasses import dataclass

from graphrec.core.types import JSON
from graphrec.report.facts import Facts

GROUPS = ("all", "head", "mid", "tail", "cold")
"""Popularity buckets of the held-out items, widest first."""

CUTOFFS = (10, 20, 50)
"""The k of every ranking metric."""

Key = tuple[str, str, str, int]


@dataclass(frozen=True)
class Interval:
    """Bounds of the 95 % interval of a difference, ours minus a baseline."""

    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """Test scores on the target. `ours` comes from the evaluation's summary, else it is the model "graphrec"."""

    values: Mapping[Key, float]
    models: tuple[str, ...]
    ours: str
    variants: tuple[str, ...]
    intervals: Mapping[str, Interval]

    @classmethod
    def read(cls, facts: Facts) -> "Scores":
        """Collect the target's test records, our models first."""
        found = facts.records.get("evaluate", [])
        # Counts carry no model.
        rows = [r for r in found if r.domain == facts.target and r.split == "test" and r.model != "-"]
        models = list(dict.fromkeys(row.model for row in rows))
        summary = facts.summary("evaluate")
        ours = str(summary.get("ours", "graphrec"))
        candidates = {str(c.get("name")) for c in facts.summary("adapt").get("candidates", [])}
        variants = tuple(m for m in models if m != ours and m in candidates | set(summary.get("variants", [])))
        first = [m for m in (ours, *variants) if m in models]
        return cls(
            values={(row.model, row.group, row.metric, row.k): row.value for row in rows},
            models=(*first, *(m for m in models if m not in first)),
            ours=ours,
            variants=variants,
            intervals=_intervals(summary),
        )

    @property
    def baselines(self) -> tuple[str, ...]:
        """Return the models that are not ours, in the order of the evaluation."""
        return tuple(m for m in self.models if m != self.ours and m not in self.variants)

    def get(self, model: str, metric: str, k: int, group: str = "all") -> float | None:
        """Return one value, None where it was not recorded."""
        return self.values.get((model, group, metric, k))

    def best(self, metric: str, k: int, group: str = "all", among: tuple[str, ...] | None = None) -> str | None:
        """Return the model with the largest value (the first of equals), None where nobody has one."""
        known = {m: v for m in among or self.models if (v := self.get(m, metric, k, group)) is not None}
        return max(known, key=known.__getitem__) if known else None

    def leads(self, model: str, metric: str, k: int, group: str = "all") -> bool:
        """Return whether no model has a larger value; equals all lead, but for zeros."""
        best, value = self.best(metric, k, group), self.get(model, metric, k, group)
        return best is not None and bool(value) and value == self.get(best, metric, k, group)

    def interval(self, baseline: str) -> Interval | None:
        """Return the interval of NDCG@10 of ours minus `baseline`, None where it was not taken."""
        return self.intervals.get(baseline)

    def style(self, model: str) -> str:
        """Return the CSS class of a model: ours, variant or other."""
        return "ours" if model == self.ours else "variant" if model in self.variants else "other"


def _intervals(summary: JSON) -> dict[str, Interval]:
    rows = (row for row in summary.get("differences", []) if {"model", "low", "high"} <= row.keys())
    return {str(row["model"]): Interval(row["low"], row["high"]) for row in rows}
