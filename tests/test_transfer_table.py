"""The tables of the transfer benchmark, by hand: who is above whom, how often, and what the guard promised."""

import numpy as np
import pytest

from benchmarks.transfer_table import table

USERS = 200


def cell(target, seed, ours, best, *, alone=0.2, vectors=None, noise=0.1, asked=0):
    """Return a cell whose models have these means; differences between them scatter by `noise`."""
    rng = np.random.default_rng(seed)

    def values(mean):
        found = rng.normal(mean, noise, USERS)
        return {"ndcg@10": (found - found.mean() + mean).tolist()}

    models = {"graphrec": values(ours), "target_only": values(alone), "all_domains": values(ours)}
    models |= {"vectors": models["graphrec"] if vectors is None else values(vectors)}
    models |= {"item_knn own": values(best), "popularity own": values(best / 2)}
    return {
        "cell": {"set": "toy", "target": target, "regime": "warm", "seed": seed},
        "chosen": ["a"],
        "shipped": "chosen",
        "trials": 4,
        "seconds": {"select": 2.0, "adapt": 4.0},
        "codes": [["x"]],
        "users": list(range(asked, asked + USERS)),
        "models": models,
        "oracle": None,
    }


def test_cells_are_counted_one_by_one_and_seeds_together():
    # No seed of B tells by itself; its two together, of different users, do.
    error = 0.1 * np.sqrt(2 / USERS)
    rows = [cell("A", n, 0.4, 0.3) for n in (0, 1)] + [
        cell("B", n, 0.3 + 1.7 * error, 0.3, asked=USERS * n) for n in (2, 3)
    ]
    rows += [cell("C", 4, 0.2, 0.3, alone=0.1)]
    told = table(rows)
    together, alone = (
        next(line for line in told.splitlines() if name in line) for name in ("seeds together", "cell by cell")
    )
    assert "above in 2 of 3, below in 1" in together and "1.10 times it in 1: A-warm 1.33" in together
    assert "above in 2 of 5, below in 1" in alone and "1.10 times it in 2." in alone
    assert "| A | warm | 2 | 0.4000 ± 0.0000 |" in told and "item_knn own 0.3000" in told
    assert "select 2, adapt 4; trials 4" in told and "different versions" not in told


def test_losses_are_named_after_the_correction():
    losing, level = cell("A", 0, 0.1, 0.3), cell("B", 1, 0.199, 0.3)
    lost = "significant losses against {} (paired over users, normal, 95 %, Bonferroni over cells): {}."
    told = table([losing, level])
    assert lost.format("target-only", "toy-A-warm-0") in told and lost.format("vectors alone", "none") in told
    assert lost.format("target-only", "none") in table([level])
    assert lost.format("vectors alone", "toy-B-warm-1") in table([cell("B", 1, 0.2, 0.3, vectors=0.3)])


def test_what_counts_add_is_told_of_the_cells_in_which_they_ship():
    rows = [cell("A", 0, 0.3, 0.3, vectors=0.25), cell("B", 1, 0.3, 0.3, vectors=0.31), cell("C", 2, 0.3, 0.3)]
    line = next(line for line in table(rows).splitlines() if "Counts ship" in line)
    assert "in 2 cells: over vectors alone +0.0200, standard error 0.0300 over cells; better in 1." in line


def test_regret_is_against_the_best_subset_and_time_without_the_base():
    row = cell("A", 0, 0.35, 0.3, vectors=0.3) | {"seconds": {"base": 10.0, "select": 3.0}}
    row |= {"oracle": {"seconds": 40.0, "ndcg@10": {"none": [0.2], "a": [0.24, 0.36], "b": [0.4]}}}
    told = table([row])
    assert "| toy-A-warm-0 | b | 0.4000 | 0.3000 | 0.3000 | 25.0 % | 50 % | 10 % | 32 % |" in told
    assert "Mean regret 25.0 %; select takes 10 %" in told


@pytest.mark.parametrize("versions", [1, 2])
def test_cells_of_several_versions_are_told_apart(versions):
    rows = [cell("A", n, 0.3, 0.3) | {"codes": [["x", n % versions]]} for n in range(3)]
    assert ("2 different versions" in table(rows)) == (versions == 2)
