"""What the knowledge graph is worth to the recommender: arms trained with and without it, compared over users."""

from collections.abc import Iterator

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.facts import Facts

COMMAND = "graphrec worth RUN"

_METRICS = ("NDCG@10", "Recall@20")
_SIGNIFICANT = 0.05

ARM_COLUMNS = ("arm", "relations", *_METRICS)
PAIR_COLUMNS = ("difference", "relations", "NDCG@10", "95 % interval", "p", "Recall@20", "p")


def worth(facts: Facts) -> JSON:
    """Return verdicts, the table of arms, that of comparisons, and notes; or in `missing` that it was not measured."""
    if not facts.summary("denoise").get("num_triples", 1):
        return {"missing": "This data set has no triples, so there is no knowledge to measure."}
    found = facts.worth
    if not found:
        return {"missing": f"Not measured. `{COMMAND}` trains with and without the triples and fills this section."}
    return {
        "stale": f"Measured before this run changed; `{COMMAND}` measures it again." if _is_stale(facts) else "",
        "verdicts": list(_verdicts(found)),
        "about": f"{found['target']}, {formats.count(found['num_users'])} test users, {found['seeds']} seeds",
        "arm_columns": ARM_COLUMNS,
        "arms": [_arm(row) for row in found["arms"]],
        "pair_columns": PAIR_COLUMNS,
        "pairs": [_pair(row) for row in found["comparisons"]],
        "notes": list(_notes(found)),
    }


def _is_stale(facts: Facts) -> bool:
    current = {stage: manifest.get("fingerprint") for stage, manifest in facts.manifests.items()}
    return any(current.get(stage) != made for stage, made in facts.worth["made_from"].items())


def _verdicts(found: JSON) -> Iterator[str]:
    """Say for each set of relations whether triples, and knowledge itself, are surely worth anything."""
    rows = {(row["relations"], row["arm"], row["against"]): row["NDCG@10"] for row in found["comparisons"]}
    for part in dict.fromkeys(row["relations"] for row in found["comparisons"]):
        scope = "" if part == "all" else f" ({part} relations)"
        some, more = rows[part, "full", "none"], rows[part, "full", "random"]
        if _gains(some) and _gains(more):
            yield f"The triples{scope} help: {_change(some)} over none, {_change(more)} over random ones."
        elif _gains(some):
            yield (
                f"The graph{scope} helps ({_change(some)} over none), but what its triples say does not surely: "
                f"{_change(more)} over random ones."
            )
        else:
            yield f"Nothing shows that the triples{scope} help: {_change(some)} over none."
        yield f"Denoising{scope} changes NDCG@10 by {_change(rows[part, 'denoised', 'full'])}."


def _gains(row: JSON) -> bool:
    return bool(row["difference"] > 0 and row["p"] < _SIGNIFICANT)


def _change(row: JSON) -> str:
    return f"{formats.signed(row['difference'])} (p {_p(row['p'])})"


def _arm(row: JSON) -> tuple[str, ...]:
    return (row["arm"], row["relations"], *(_spread(row[metric]) for metric in _METRICS))


def _spread(value: JSON) -> str:
    spread = "" if value["sd"] is None else f" \N{PLUS-MINUS SIGN} {formats.score(value['sd'])}"
    return formats.score(value["mean"]) + spread


def _pair(row: JSON) -> tuple[str, ...]:
    gain, found = (row[metric] for metric in _METRICS)
    interval = f"{formats.signed(gain['low'])} to {formats.signed(gain['high'])}"
    name = f"{row['arm']} \N{MINUS SIGN} {row['against']}"
    values = (formats.signed(gain["difference"]), interval, _p(gain["p"]))
    return (name, row["relations"], *values, formats.signed(found["difference"]), _p(found["p"]))


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _notes(found: JSON) -> Iterator[str]:
    if found["seeds"] < 3:
        yield "Fewer than three seeds: the luck of a start can be taken for a difference."
    if found["behaviour_relations"]:
        names = ", ".join(found["behaviour_relations"])
        yield f"Made from behaviour, so a gain from them is no gain from knowledge: {names}."
    if found["cold_items"]:
        yield "Items without a training event began at zero, as no negatives: knowledge alone places them (cold_items)."
    if found["num_last_epoch"]:
        yield (
            f"{found['num_last_epoch']} of {found['seeds'] * len(found['arms'])} trainings were best at the last epoch "
            "allowed; a larger pretrain.fit.epochs may change the numbers."
        )
    if found["changed"]:
        yield f"Measured with other options than the run's: {', '.join(found['changed'])}."
