"""The search space: options of the run on one side, parameters of a study on the other."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from graphrec.cli.config import RunConfig
from graphrec.cli.sweep.config import ParameterConfig
from graphrec.core.config import apply_overrides, describe, parse, to_mapping
from graphrec.core.errors import ConfigError

Value = bool | int | float | str | None
"""A value of a parameter, as a study stores it."""

Point = Mapping[str, Value]
"""One value for each parameter."""

SOURCES, TARGET = "sources", "target"
_ROUNDED = 1e-9


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter. Without `texts` it is a number; `texts` maps each choice to what stands after `KEY=`.

    A `domain` is switched by it, where the parameter is a part of `sources`.
    """

    key: str
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False
    texts: Mapping[Value, str] | None = None
    domain: str = ""

    @property
    def name(self) -> str:
        """Return its name in the study."""
        return f"{self.key}.{self.domain}" if self.domain else self.key

    @property
    def values(self) -> tuple[Value, ...] | None:
        """Return all values, None where they cannot be counted."""
        if self.texts is not None:
            return tuple(self.texts)
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            return None
        found = [_neat(self.low + n * step) for n in range(round((self.high - self.low) / step) + 1)]
        return tuple(int(value) for value in found) if self.whole else tuple(found)


@dataclass(frozen=True)
class Space:
    """All parameters, in the order of the file."""

    parameters: tuple[Parameter, ...]

    @property
    def switches(self) -> tuple[str, ...]:
        """Return the names of the parameters that switch a domain, of which one at least must be on."""
        return tuple(p.name for p in self.parameters if p.domain)

    @property
    def first(self) -> Point:
        """Return the point of the first choice and the least number of each parameter, every switch off."""
        least = {p.name: int(p.low) if p.whole else p.low for p in self.parameters}
        return least | {p.name: next(iter(p.texts)) for p in self.parameters if p.texts is not None}

    def named(self, key: str) -> list[str]:
        """Return every domain that is a value of `key`, or in one; `key` is that of the target or of the sources."""
        found = list[str]()
        for p in self.parameters:
            if p.key == key:
                values = [p.domain] if p.domain else [json.loads(text) for text in (p.texts or {}).values()]
                found += [name for value in values for name in ([value] if isinstance(value, str) else value)]
        return found

    def overrides(self, point: Point) -> list[str]:
        """Return the `KEY=VALUE` overrides of the run that `point` stands for."""
        found, domains = [], []
        for p in self.parameters:
            value = point[p.name]
            if p.domain:
                domains += [p.domain] if value else []
            else:
                neat = _neat(value) if p.step and isinstance(value, float) else value
                found.append(f"{p.key}={p.texts[value] if p.texts is not None else json.dumps(neat)}")
        return [*found, f"{SOURCES}={json.dumps(domains, ensure_ascii=False)}"] if self.switches else found

    def grid(self) -> list[Point]:
        """Return every point; raise `ConfigError` where a parameter has no end of values."""
        axes = [(p.name, p.values) for p in self.parameters]
        endless = [name for name, values in axes if values is None]
        if endless:
            raise ConfigError(
                f"sweep.space: {', '.join(endless)}: a grid needs `choices` here, or `step` without `log`"
            )
        points = [dict(zip(self.names, row, strict=True)) for row in product(*(values or () for _, values in axes))]
        return [point for point in points if not self.switches or any(point[name] for name in self.switches)]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all parameters."""
        return tuple(p.name for p in self.parameters)


def read_space(config: RunConfig, source: str) -> Space:
    """Return the space of `config`; raise one `ConfigError` that lists every problem, each behind `source`."""
    types = {doc.path: doc.type for doc in describe(RunConfig)}
    base, start = to_mapping(config), f"{source}: sweep.space"
    parameters, problems = list[Parameter](), list[str]()
    if not config.sweep.space:
        problems.append(f"{start}: nothing to search; give at least one option and its values")
    for key, values in config.sweep.space.items():
        try:
            given = parse(ParameterConfig, values, source=f"{start}: {key}")
            made = list(_parameters(key, given, types.get(key, ""), f"{start}: {key}"))
            _check(base, made, start)
            parameters += made
        except ConfigError as error:
            problems += [line for line in str(error).splitlines() if line not in problems]
    if problems:
        raise ConfigError("\n".join(problems))
    return Space(tuple(parameters))


def _parameters(key: str, given: ParameterConfig, kind: str, start: str) -> Iterator[Parameter]:
    if key == "name" or key.partition(".")[0] == "sweep":
        raise ConfigError(f"{start}: cannot be searched")
    numbers = given.low is not None or given.high is not None
    if numbers + bool(given.choices) + bool(given.subsets) > 1:
        raise ConfigError(f"{start}: give `low` and `high`, or `choices`, or `subsets`, not several of them")
    if not numbers and (given.log or given.step is not None):
        raise ConfigError(f"{start}: `log` and `step` go with `low` and `high`")
    if given.subsets:
        if key != SOURCES:
            raise ConfigError(f"{start}: only `{SOURCES}` has subsets; give choices")
        yield from (Parameter(key=key, domain=d, texts={False: "", True: ""}) for d in dict.fromkeys(given.subsets))
    elif numbers:
        yield _number(key, given, kind, start)
    elif given.choices or kind == "bool":
        yield Parameter(key=key, texts=_texts(given.choices or (False, True), start))
    elif kind:
        raise ConfigError(f"{start}: no values; give `low` and `high`, or `choices`")
    else:
        # No such option: the check of its values says so, and names the nearest.
        yield Parameter(key=key, texts={True: "true"})


def _number(key: str, given: ParameterConfig, kind: str, start: str) -> Parameter:
    low, high, whole = given.low, given.high, kind.startswith("int")
    if low is None or high is None or low >= high:
        raise ConfigError(f"{start}: needs `low` and a larger `high`, got {low} and {high}")
    if given.log and (given.step is not None or low <= 0):
        raise ConfigError(f"{start}: `log` needs `low` above 0 and goes without `step`")
    if given.step is not None and (high - low) / given.step < 1 - _ROUNDED:
        raise ConfigError(f"{start}: `step` must be at most the way from `low` to `high`, got {given.step:g}")
    if whole and any(n is not None and n % 1 for n in (low, high, given.step)):
        raise ConfigError(f"{start}: takes whole numbers; `low`, `high` and `step` must be such")
    if given.step is not None:
        # The last step that is not too far, as Optuna would have it.
        high = _neat(low + int((high - low) / given.step + _ROUNDED) * given.step)
    return Parameter(key=key, low=low, high=high, step=given.step, log=given.log, whole=whole)


def _neat(value: float) -> float:
    # 0.1 + 2 * 0.1 as a person would write it.
    return round(value, 10)


def _texts(choices: tuple[Any, ...], start: str) -> Mapping[Value, str]:
    # A study stores only single values: a list goes by its text.
    written = [json.dumps(choice, ensure_ascii=False) for choice in choices]
    texts = {text if isinstance(c, list | dict) else c: text for c, text in zip(choices, written, strict=True)}
    if len(texts) < len(choices):
        raise ConfigError(f"{start}: choices: one stands there twice (true and 1, false and 0 are one to a study)")
    return texts


def _check(base: Mapping[str, Any], parameters: list[Parameter], start: str) -> None:
    """Let the run's own configuration judge the extreme values: its messages name the nearest key and the range."""
    for p in parameters:
        ends: tuple[Value, ...] = (int(p.low), int(p.high)) if p.whole else (p.low, p.high)
        texts = p.texts.values() if p.texts is not None else [json.dumps(end) for end in ends]
        for text in () if p.domain else texts:
            parse(RunConfig, apply_overrides(base, [f"{p.key}={text}"]), source=start)
