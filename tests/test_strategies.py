"""The ways through the subsets of sources that need no data to be judged."""

from types import SimpleNamespace
from typing import cast

import pytest

from finetune.config import MOST_SOURCES, SelectConfig
from finetune.evidence import Evidence
from finetune.strategies import Gains, exhaustive, gates, greedy, strategy
from graphrec.core.errors import ConfigError
from graphrec.core.search import MemorySearch


def gains(num_sources: int) -> Gains:
    sources = tuple(f"s{n}" for n in range(num_sources))
    return Gains([cast(Evidence, SimpleNamespace(target=SimpleNamespace(sources=sources)))])


class Told:
    """Evidence of which everything is told beforehand."""

    price = 2.0

    def __init__(self, gains: dict[str, float], weights: dict[str, float] | None = None) -> None:
        self.gains, self.found = gains, weights or {}
        self.target = SimpleNamespace(sources=tuple("abc"))

    def gain(self, subset: tuple[str, ...]) -> float:
        return self.gains.get("".join(subset), -1.0)

    def weights(self, _: tuple[str, ...]) -> SimpleNamespace:
        return SimpleNamespace(of=lambda name: {"users": self.found.get(name, 0.0), "cross": 0.0})


def told(gains: dict[str, float], weights: dict[str, float] | None = None) -> Gains:
    return Gains([cast(Evidence, Told(gains, weights))])


def test_greedy_takes_out_what_others_have_made_superfluous() -> None:
    # c is best alone and in every step; once a and b are there, it costs more than it gives.
    found = greedy(told({"": 0, "a": 2, "b": 1, "c": 3, "ac": 5, "bc": 4, "abc": 7, "ab": 8}), MemorySearch())
    assert found.best == ("a", "b") and found.gain[("a", "b", "c")] == 7


def test_gates_keep_what_a_step_of_the_others_would() -> None:
    # A weight of z standard errors is worth z^2 / 2 nats; the price is 2.
    found = gates(told({"": 0, "a": 5, "ab": 4, "abc": 3}, {"a": 2.1, "b": 1.9, "c": 0.0}), MemorySearch())
    assert found.best == ("a",) and set(found.tried) == {(), ("a",), ("a", "b", "c")}


def test_all_subsets_of_too_many_sources_are_refused() -> None:
    config = SelectConfig(search="exhaustive")
    assert strategy(config, gains(MOST_SOURCES)).func is exhaustive
    with pytest.raises(ConfigError, match=r"exhaustive tries all 8,192 subsets of 13 sources; .*select.search=greedy"):
        strategy(config, gains(MOST_SOURCES + 1))
    assert strategy(SelectConfig(max_sources=MOST_SOURCES), gains(MOST_SOURCES + 1)).func is greedy
