"""The subsets that select tried as points by size, with the way from no source to the chosen one."""

from collections.abc import Sequence

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.charts.figure import Figure
from graphrec.report.charts.lattice import Node, lattice_figure

_MOST = 64
"""Points drawn: the best ones, the way to the chosen one and both ends; the table holds all of them."""

Sources = frozenset[str]


def lattice(summary: JSON) -> Figure:
    """Return the drawing of a summary that has trials."""
    trials = {frozenset(t.get("domains", [])): t for t in summary["trials"] if formats.is_number(t.get("value"))}
    everything, chosen = frozenset(summary.get("sources", [])), frozenset(summary.get("chosen", []))
    way = _way(trials, chosen)
    kept = {subset for subset in (frozenset[str](), everything, chosen, *way) if subset in trials}
    best = sorted(trials.keys() - kept, key=lambda s: (-trials[s]["value"], sorted(s)))
    kept |= set(best[: max(0, _MOST - len(kept))])
    nodes = {s: _node(s, trial, chosen=chosen, everything=everything) for s, trial in trials.items() if s in kept}
    hidden = f" The best {len(nodes)} of {len(trials)} subsets are drawn." if len(nodes) < len(trials) else ""
    return lattice_figure(
        "Subsets by size",
        list(nodes.values()),
        [nodes[subset] for subset in way],
        x="sources in the subset",
        y="validation NDCG@10",
        note=f"{_WAY if len(way) > 1 else ''}{_CHOICE}{hidden}",
    )


_WAY = "Line: from no source to the chosen subset, each time by the source that gains most. "
_CHOICE = "The choice goes by the gain in nats, which is far less noisy than NDCG@10; the highest point need not be it."


def _way(trials: dict[Sources, JSON], chosen: Sources) -> Sequence[Sources]:
    """Return the subsets from none to the chosen one, one more source each; none where a step was not tried."""
    way = [frozenset[str]()]
    while way[-1] < chosen:
        ahead = [way[-1] | {name} for name in sorted(chosen - way[-1])]
        gain = {s: trials[s]["gain"] for s in ahead if s in trials and formats.is_number(trials[s].get("gain"))}
        if not gain:
            return []
        way.append(max(gain, key=gain.__getitem__))
    return way if all(subset in trials for subset in way) else []


def _node(subset: Sources, trial: JSON, *, chosen: Sources, everything: Sources) -> Node:
    ends = [word for word, end in (("no source", frozenset[str]()), ("all", everything)) if subset == end]
    mark = ", ".join(["chosen"] * (subset == chosen) + ends)
    style = "ours" if subset == chosen else "variant" if ends else "other"
    name = " + ".join(trial.get("domains", [])) or "no source"
    return Node(name, len(subset), trial["value"], style, mark)
