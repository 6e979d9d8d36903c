"""The first thing a reader sees: did the model beat the best simple baseline, and what ships."""

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.facts import Facts
from graphrec.report.scores import Interval, Scores


def headline(facts: Facts, scores: Scores) -> JSON:
    """Return the verdict on test NDCG@10 (ahead, level, behind or unknown), its words and its numbers."""
    return {
        "shipped": _shipped(facts),
        "num_users": facts.summary("evaluate").get("num_users"),
        **_verdict(facts.target, scores),
    }


def _verdict(target: str, scores: Scores) -> JSON:
    ours = scores.get(scores.ours, "ndcg", 10)
    rival = scores.best("ndcg", 10, among=scores.baselines)
    theirs = None if rival is None else scores.get(rival, "ndcg", 10)
    if ours is None:
        return {"verdict": "unknown", "words": "This run has no test scores: the evaluate stage did not run."}
    if rival is None or theirs is None:
        return {"verdict": "unknown", "words": "This run has no baseline to compare with.", "ours": ours}
    interval = scores.interval(rival)
    verdict = _sign(ours - theirs, interval)
    return {
        "verdict": verdict,
        "words": _WORDS[verdict].format(target=target, rival=formats.model(rival)),
        "advice": _ADVICE[verdict].format(target=target, rival=formats.model(rival)),
        "ours": ours,
        "rival": formats.model(rival),
        "theirs": theirs,
        "difference": ours - theirs,
        "relative": (ours - theirs) / theirs if theirs else None,
        "interval": None if interval is None else [interval.low, interval.high],
        "num_baselines": len(scores.baselines),
    }


_WORDS = {
    "ahead": "On {target}, the shipped model is ahead of the best baseline, {rival}.",
    "level": "On {target}, the shipped model cannot be told apart from the best baseline, {rival}.",
    "behind": "On {target}, the shipped model is behind the best baseline, {rival}.",
}

_ADVICE = {
    "ahead": "",
    "level": "The interval of the difference includes zero: choose by cost, coverage and the tail.",
    "behind": "For {target}, serve {rival}: it is simpler and ranks better here.",
}


def _sign(difference: float, interval: Interval | None) -> str:
    if interval is not None and interval.low <= 0 <= interval.high:
        return "level"
    return "ahead" if difference > 0 else "behind" if difference < 0 else "level"


def _shipped(facts: Facts) -> JSON:
    summary = facts.summary("adapt")
    candidates = {str(c.get("name")): c for c in summary.get("candidates", [])}
    chosen = candidates.get(str(summary.get("shipped")), {})
    return {
        "name": summary.get("shipped", formats.ABSENT),
        "domains": chosen.get("domains", []),
        "reason": summary.get("reason", ""),
    }
