"""The tables of `benchmarks.transfer`: cells, means by target and regime, and what the guard promised."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from graphrec.core.types import JSON
from graphrec.metrics.compare import Bootstrap

OURS, ALONE, ALL, VECTORS = "graphrec", "target_only", "all_domains", "vectors"
METRIC = "ndcg@10"
_CLEARLY = 1.1
"""Times the best baseline's mean."""


def table(cells: Sequence[JSON]) -> str:
    """Return Markdown: a row per target and regime, then what all cells together say."""
    groups: dict[tuple[str, str, str], list[JSON]] = {}
    for row in cells:
        cell = row["cell"]
        groups.setdefault((cell["set"], cell["target"], cell["regime"]), []).append(row)
    lines = [
        f"{METRIC} on test, mean over seeds and its standard deviation. `best baseline` by that mean, with ours",
        "over it, paired over users, and a 95 % interval. `chosen` counts how often.",
        "",
        "| target | regime | seeds | graphrec | vectors alone | target only | all domains | best baseline | over it | "
        "ships | chosen |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(_row(key, found) for key, found in groups.items()),
        "",
        *_summary(cells),
        f"- Best baseline (target-only without any), seeds together: {_beside_baselines(groups.values(), named=True)}.",
        f"- Best baseline, cell by cell: {_beside_baselines(([row] for row in cells), named=False)}.",
    ]
    return "\n".join(lines)


def _row(key: tuple[str, str, str], found: Sequence[JSON]) -> str:
    means, best = _means(found)
    gain, low, high = _difference(found, OURS, best)
    shipped = _counted(row["shipped"] for row in found)
    chosen = _counted("+".join(row["chosen"]) or "none" for row in found)
    columns = [
        key[1],
        key[2],
        str(len(found)),
        *(_spread(means[n]) if n in means else "-" for n in (OURS, VECTORS, ALONE, ALL)),
        f"{best} {_spread(means[best])}",
        f"{gain:+.4f} ({low:+.4f} to {high:+.4f})",
        shipped,
        chosen,
    ]
    return f"| {' | '.join(columns)} |"


def _means(found: Sequence[JSON]) -> tuple[dict[str, list[float]], str]:
    """Return the mean of each model in each of `found`, and the name of the best baseline."""
    names = [name for name in found[0]["models"] if all(name in row["models"] for row in found)]
    means = {name: [statistics.mean(row["models"][name][METRIC]) for row in found] for name in names}
    rivals = [name for name in means if name not in (OURS, ALONE, ALL, VECTORS)] or [ALONE]
    return means, max(rivals, key=lambda name: statistics.mean(means[name]))


def _beside_baselines(groups: Iterable[Sequence[JSON]], *, named: bool) -> str:
    """Return in how many of `groups` we stand significantly above and below the best baseline, and by how much."""
    above = below = total = 0
    clearly = []
    for found in groups:
        means, best = _means(found)
        _, low, high = _difference(found, OURS, best)
        above, below, total = above + (low > 0), below + (high < 0), total + 1
        theirs, cell = statistics.mean(means[best]), found[0]["cell"]
        if theirs > 0 and (ratio := statistics.mean(means[OURS]) / theirs) >= _CLEARLY:
            clearly.append(f"{cell['target']}-{cell['regime']} {ratio:.2f}")
    names = f": {', '.join(clearly)}" if named and clearly else ""
    told = f"significantly above in {above} of {total}, below in {below} (95 %, uncorrected)"
    return f"{told}; at least {_CLEARLY:.2f} times it in {len(clearly)}{names}"


def _difference(found: Sequence[JSON], ours: str, other: str) -> tuple[float, float, float]:
    """Return the mean gain per user and its 95 % interval; a user whom several seeds ask about counts once."""
    user = np.concatenate([row["users"] for row in found])
    users = {}
    for name in (ours, other):
        value = np.concatenate([row["models"][name][METRIC] for row in found])
        _, place, count = np.unique(user, return_inverse=True, return_counts=True)
        users[name] = np.bincount(place, weights=value) / count
    gain = Bootstrap.draw(users, seed=0).difference(ours, other)
    return gain.mean, gain.low, gain.high


def _summary(cells: Sequence[JSON]) -> Iterator[str]:
    for rival, said in ((ALONE, "target-only"), (VECTORS, "vectors alone")):
        losses = [row for row in cells if rival in row["models"] and _loses(row, rival, len(cells))]
        names = ", ".join("-".join(map(str, row["cell"].values())) for row in losses) or "none"
        test = "paired over users, normal, 95 %, Bonferroni over cells"
        yield f"- Cells {len(cells)}; significant losses against {said} ({test}): {names}."
    wins = sum(_difference([row], OURS, ALONE)[1] > 0 for row in cells)
    yield f"- Cells with a significant gain over target-only (95 %, uncorrected): {wins}."
    counted = [row["models"] for row in cells if VECTORS in row["models"]]
    gains = [statistics.mean(m[OURS][METRIC]) - statistics.mean(m[VECTORS][METRIC]) for m in counted if _differ(m)]
    if len(gains) > 1:
        error = statistics.stdev(gains) / len(gains) ** 0.5
        yield (
            f"- Counts ship in {len(gains)} cells: over vectors alone {statistics.mean(gains):+.4f}, standard error "
            f"{error:.4f} over cells; better in {sum(gain > 0 for gain in gains)}."
        )
    seconds: dict[str, list[float]] = {}
    for row in cells:
        for name, value in row["seconds"].items():
            seconds.setdefault(name, []).append(value)
    told = ", ".join(f"{name} {statistics.mean(v):.0f}" for name, v in seconds.items())
    yield f"- Seconds a cell: {told}; trials {statistics.mean(row['trials'] for row in cells):.0f}."
    if (versions := len({tuple(code) for row in cells for code in row["codes"]})) > 1:
        yield f"- These cells were measured by {versions} different versions of the code."
    for row in cells:
        for metric in row["models"][OURS]:
            if "among" in metric:
                means = {name: statistics.mean(found[metric]) for name, found in row["models"].items()}
                told = ", ".join(f"{name} {mean:.4f}" for name, mean in sorted(means.items(), key=lambda nm: -nm[1]))
                yield f"- {'-'.join(map(str, row['cell'].values()))}, {metric}: {told}."
    judged = [row for row in cells if row.get("oracle")]
    if judged:
        yield from _regret(judged)


def _differ(models: Mapping[str, Mapping[str, list[float]]]) -> bool:
    return models[OURS][METRIC] != models[VECTORS][METRIC]


def _loses(row: JSON, rival: str, cells: int) -> bool:
    # No bootstrap: so far out in the tail it would need a million samples.
    ours, theirs = (np.array(row["models"][name][METRIC]) for name in (OURS, rival))
    delta = ours - theirs
    error = delta.std(ddof=1) / np.sqrt(len(delta)) if len(delta) > 1 else 0.0
    # The normal quantile of 2.5 % shared out over all cells, one side.
    quantile = statistics.NormalDist().inv_cdf(1 - 0.025 / cells)
    return bool(error > 0 and delta.mean() < -quantile * error)


def _regret(cells: Sequence[JSON]) -> Iterator[str]:
    yield ""
    yield (
        "Vectors alone on both sides, as the oracle counts nothing item by item; `kept` is the share of the oracle's "
        "gain over its own model without sources."
    )
    yield ""
    yield "| cell | oracle's subset | oracle | chosen, tuned | ours | regret | kept | select / oracle | with base |"
    yield "|---|---|---|---|---|---|---|---|---|"
    regrets, shares, whole = [], [], []
    for row in cells:
        means: Mapping[str, float] = {
            name: statistics.mean(values) for name, values in row["oracle"]["ndcg@10"].items()
        }
        best = max(means, key=lambda name: means[name])
        models = row["models"]
        ours = statistics.mean((models[VECTORS] if VECTORS in models else models[OURS])[METRIC])
        room = means[best] - means["none"]
        kept = f"{100 * (ours - means['none']) / room:.0f} %" if room > 0 else "-"
        chosen = means["+".join(row["chosen"]) or "none"]
        regrets.append(1 - ours / means[best])
        # The base without sources is the guard's: it is trained whatever is searched, and by the oracle too.
        base, every = row["seconds"]["base"], row["oracle"]["seconds"]
        shares.append(row["seconds"]["select"] / (every - base))
        whole.append((row["seconds"]["select"] + base) / every)
        name = "-".join(map(str, row["cell"].values()))
        yield (
            f"| {name} | {best} | {means[best]:.4f} | {chosen:.4f} | {ours:.4f} | {100 * regrets[-1]:.1f} % | {kept} | "
            f"{100 * shares[-1]:.0f} % | {100 * whole[-1]:.0f} % |"
        )
    yield ""
    regret, share, both = (100 * statistics.mean(values) for values in (regrets, shares, whole))
    yield (
        f"- Mean regret {regret:.1f} %; select takes {share:.0f} % of the oracle's time, {both:.0f} % where the base "
        "without sources counts on both sides."
    )


def _spread(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"


def _counted(names: Iterator[str]) -> str:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return ", ".join(f"{name} {count}" for name, count in sorted(found.items(), key=lambda kv: -kv[1]))
