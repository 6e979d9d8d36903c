"""The ways through the subsets of sources that need no data to be judged."""

from types import SimpleNamespace
from typing import cast

import pytest

from finetune.config import MOST_SOURCES, SelectConfig
from finetune.evidence import Evidence
from finetune.strategies import Gains, exhaustive, greedy, strategy
from graphrec.core.errors import ConfigError


def gains(num_sources: int) -> Gains:
    sources = tuple(f"s{n}" for n in range(num_sources))
    return Gains([cast(Evidence, SimpleNamespace(target=SimpleNamespace(sources=sources)))])


def test_all_subsets_of_too_many_sources_are_refused() -> None:
    config = SelectConfig(search="exhaustive")
    assert strategy(config, gains(MOST_SOURCES)).func is exhaustive
    with pytest.raises(ConfigError, match=r"exhaustive tries all 8,192 subsets of 13 sources; .*select.search=greedy"):
        strategy(config, gains(MOST_SOURCES + 1))
    assert strategy(SelectConfig(max_sources=MOST_SOURCES), gains(MOST_SOURCES + 1)).func is greedy
