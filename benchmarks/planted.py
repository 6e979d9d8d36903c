"""Planted worlds: how hard each seed's is, which screens it deceives, and the seeds to freeze.

    python -m benchmarks.planted                  # the frozen seeds, measured again
    python -m benchmarks.planted --search 30      # seeds from 0 upwards until 30 keep the contract
    python -m benchmarks.planted --subsets        # the frozen seeds, all subsets of sources ranked too

Prints a Markdown table. Gains and effects are defined in graphrec/data/simulate/contract.py. A
screen ranks the sources by one number; it is right when its first |T| are the true subset T:

- overlap: users that the source shares with the target,
- size: events of the source,
- LogME: of the source's features of the target's users for the category of each user's last
  training event in the target (one-hot). Features: the first 32 left singular vectors, times their
  values, of the centred user x item matrix; a user whom the source has not is a row of zeros.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, count

import numpy as np

from graphrec.data.simulate import FROZEN_SEEDS, WorldConfig
from graphrec.data.simulate.behaviour import Behaviour
from graphrec.data.simulate.contract import Difficulty, measure
from graphrec.data.simulate.events import SWITCH
from graphrec.data.simulate.latent import draw_latent
from graphrec.data.simulate.plan import HELPFUL, draw_domains
from graphrec.data.simulate.reference import Reference
from graphrec.data.simulate.tables import categories
from graphrec.data.simulate.world import play_domains
from graphrec.metrics.transferability import logme

SCREENS = ("overlap", "size", "LogME")
EFFECTS = ("helpful alone", "others alone", "helpful within", "others within")
FEATURES = 32


@dataclass(frozen=True)
class Row:
    """One world.

    right: whether each screen finds T; ranks: the mean rank that it gives the domains of T; place: of
    T among all subsets of sources by the reference, 1 is best.
    """

    seed: int
    difficulty: Difficulty
    right: tuple[bool, ...]
    ranks: tuple[float, ...]
    place: int | None


def main() -> None:
    """Measure, print the table and, after a search, the seeds."""
    options = _arguments()
    rows, start = [], time.perf_counter()
    for seed in count() if options.search else FROZEN_SEEDS:
        rows.append(row(seed, subsets=options.subsets))
        print(line(rows[-1]), file=sys.stderr, flush=True)
        if options.search and sum(r.difficulty.holds for r in rows) == options.search:
            break
    kept = [r for r in rows if r.difficulty.holds]
    print(table(kept))
    print(
        f"\n{len(kept)} of {len(rows)} seeds keep the contract; {(time.perf_counter() - start) / len(rows):.1f} s each"
    )
    if options.search:
        print(f"FROZEN_SEEDS = {tuple(r.seed for r in kept)}")


def row(seed: int, *, subsets: bool = False) -> Row:
    """Measure the world of one seed under the default configuration."""
    config = WorldConfig()
    played = play_domains(config, seed)
    domains, persons = draw_domains(config, seed)
    category = categories(draw_latent(config.interest, domains, persons, seed).centres)
    true = frozenset(i for i in range(1, len(played)) if played[i].domain.role == HELPFUL)
    scores = (overlaps(played), sizes(played), evidence(played, category))
    orders = [[1 + int(i) for i in np.argsort(-s, kind="stable")] for s in scores]
    right = tuple(set(order[: len(true)]) == true for order in orders)
    ranks = tuple(statistics.mean(1 + order.index(i) for i in true) for order in orders)
    return Row(seed, measure(played), right, ranks, _place(played, true) if subsets else None)


def overlaps(played: Sequence[Behaviour]) -> np.ndarray:
    """Return, per source, the users it shares with the target."""
    return np.array([np.isin(p.domain.users, played[0].domain.users).sum() for p in played[1:]])


def sizes(played: Sequence[Behaviour]) -> np.ndarray:
    """Return, per source, its events."""
    return np.array([len(p.events.user) for p in played[1:]])


def evidence(played: Sequence[Behaviour], category: np.ndarray) -> np.ndarray:
    """Return, per source, the LogME of its user features for the target's labels."""
    reference, events = Reference.of(played), played[0].events
    early = np.flatnonzero(events.time < SWITCH)
    early = early[np.argsort(events.time[early], kind="stable")]
    # Later events overwrite earlier ones, so that each user's last training event stays.
    label = np.zeros(len(played[0].domain.users), dtype=np.int64)
    label[events.user[early]] = category[played[0].catalogue.topic[events.item[early]]]
    classes = np.eye(category.max() + 1)[label]
    scores = []
    for columns in reference.columns[1:]:
        matrix = reference.matrix[:, columns]
        left, singular, _ = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
        scores.append(logme(left[:, :FEATURES] * singular[:FEATURES], classes[:, classes.any(axis=0)]))
    return np.array(scores)


def _place(played: Sequence[Behaviour], true: frozenset[int]) -> int:
    """Return the place of the true subset among all subsets of sources, by the reference; 1 is best."""
    reference, sources = Reference.of(played), range(1, len(played))
    every = chain.from_iterable(combinations(sources, size) for size in range(len(played)))
    worth = {frozenset(chosen): reference.ndcg(chosen).mean() for chosen in every}
    return 1 + sum(other > worth[true] for other in worth.values())


def table(rows: Sequence[Row]) -> str:
    """Return the Markdown table of the given worlds and, below, the summary."""
    names = ("seed", "over target", "over all", *EFFECTS, *SCREENS, "place")
    failed = [100 * (1 - statistics.mean(r.right[i] for r in rows)) for i in range(len(SCREENS))]
    summary = ", ".join(f"{name} {share:.0f} %" for name, share in zip(SCREENS, failed, strict=True))
    ranks = ", ".join(f"{name} {statistics.mean(r.ranks[i] for r in rows):.1f}" for i, name in enumerate(SCREENS))
    gain, effect = (100 * max(getattr(r.difficulty, name) for r in rows) for name in ("error", "effect_error"))
    lines = [
        f"| {' | '.join(names)} |",
        "|---" * len(names) + "|",
        *map(line, rows),
        "",
        f"Screens fail on: {summary}. Mean rank of the domains of T (by chance 3.5 of 6): {ranks}.",
        f"Greatest standard error of a gain: {gain:.2f} %, of an effect: {effect:.2f} %.",
    ]
    return "\n".join(lines)


def line(row: Row) -> str:
    """Return one row of the table, changes in percent."""
    d = row.difficulty
    gains = f"{100 * d.gain_over_target:.1f} | {100 * d.gain_over_all:.1f}"
    screens = " | ".join("right" if right else "wrong" for right in row.right)
    return f"| {row.seed} | {gains} | {' | '.join(_effects(d))} | {screens} | {row.place or '-'} |"


def _effects(d: Difficulty) -> Iterator[str]:
    for part in (d.alone, d.within):
        for helps in (True, False):
            values = sorted(100 * v for name, v in part.items() if (name in d.true_subset) == helps)
            yield " ".join(f"{v:.1f}" for v in values)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search", type=int, default=0, help="stop once so many seeds keep the contract")
    parser.add_argument("--subsets", action="store_true", help="rank the true subset among all subsets, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
