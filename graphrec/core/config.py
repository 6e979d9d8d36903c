"""Typed configuration: YAML in, frozen dataclasses out, every problem named at once.

A hyper-parameter is declared once, beside the code it configures:

    @config
    class OptimConfig:
        lr: float = option(default=1e-3, gt=0, help="Learning rate of Adam.")

`parse` checks a mapping strictly (no silent coercion of text to numbers, unknown keys refused),
`describe` lists every field for `--help` and `graphrec show`, `to_mapping` is its inverse.
"""

import dataclasses
import difflib
import json
import operator
import re
import typing
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, dataclass_transform

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as _pydantic_dataclass
from pydantic.fields import FieldInfo

from graphrec.core.errors import ConfigError
from graphrec.core.types import JSON

C = TypeVar("C")

_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_HOLDS = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt}


def option(
    *,
    help: str,
    default: Any = ...,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    min_length: int | None = None,
    choices: Sequence[str] | None = None,
    path: bool = False,
) -> Any:
    """Declare one field: its default (none means required), its range, its one sentence of help.

    A range restricts a number, or every number of a tuple, which has `min_length` values at least; `choices`
    a string, or every string of a tuple, to the given names. A `path` says where
    something lies, which may differ from machine to machine.
    """
    extra: JSON = {"choices": list(choices)} if choices is not None else {}
    extra |= {"path": True} if path else {}
    if dataclasses.is_dataclass(default) or default == {}:
        return Field(default_factory=lambda: default, description=help, json_schema_extra=extra)
    if isinstance(default, tuple):
        # Pydantic would compare the tuple itself.
        extra["each"] = {k: v for k, v in (("ge", ge), ("gt", gt), ("le", le), ("lt", lt)) if v is not None}
        return Field(default, description=help, min_length=min_length, json_schema_extra=extra)
    return Field(default, description=help, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra=extra)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option,))
def config(cls: type[C]) -> type[C]:
    """Make `cls` a frozen, keyword-only, strictly checked configuration dataclass."""
    rules = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False)
    return cast(type[C], _pydantic_dataclass(cls, frozen=True, kw_only=True, config=rules))


@dataclasses.dataclass(frozen=True)
class FieldDoc:
    """One documented option: dotted path, type, default, allowed range, help sentence."""

    path: str
    type: str
    default: str
    range: str
    help: str


def parse(cls: type[C], mapping: Mapping[str, Any], *, source: str) -> C:
    """Turn `mapping` into `cls`, or raise one `ConfigError` that lists every problem.

    `source` (a file name) starts each line of the message. Values pass through JSON rules: lists
    become tuples, integers are accepted for floats, nothing else is coerced. A section that is
    given in part keeps the rest of its declared default.
    """
    try:
        text = json.dumps(_filled(cls, mapping), default=str)
        made = TypeAdapter(cls).validate_json(text, strict=True)
    except ValidationError as error:
        raise ConfigError("\n".join(_problem(cls, source, e) for e in error.errors())) from None
    problems = [f"{source}: {p}" for p in _bad_values(made)]
    if problems:
        raise ConfigError("\n".join(problems))
    return made


def read_yaml(path: Path) -> JSON:
    """Read one YAML mapping; raise `ConfigError` on a missing file, bad syntax or a doubled key."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `graphrec init` lists examples to start from") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder; expected the YAML file of a run") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    return parse_yaml(text, source=str(path))


def parse_yaml(text: str, *, source: str) -> JSON:
    """Parse YAML `text` into a mapping; raise `ConfigError` naming `source` and the line."""
    try:
        loaded = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise ConfigError(f"{source}: expected a mapping of option names to values at the top")
    return loaded


def apply_overrides(mapping: Mapping[str, Any], overrides: Sequence[str]) -> JSON:
    """Return a copy of `mapping` with each `path.to.key=value` set; values are read as YAML."""
    result: JSON = json.loads(json.dumps(mapping, default=str))
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"override {override!r}: expected path.to.key=value")
        *parents, leaf = path.strip().split(".")
        node = result
        for name in parents:
            if not isinstance(node.setdefault(name, {}), dict):
                raise ConfigError(f"override {override!r}: {name} is a value, not a section")
            node = node[name]
        node[leaf] = parse_yaml(f"value: {text}", source=f"override {override!r}")["value"]
    return result


def to_mapping(made: Any) -> JSON:
    """Return the JSON mapping of a config instance; `parse(type(made), to_mapping(made))` equals it."""
    return cast(JSON, json.loads(json.dumps(dataclasses.asdict(made), default=str)))


def without_paths(made: Any) -> JSON:
    """Return `to_mapping(made)` with whether it is set in place of each option that is a path."""
    paths = {name for name, info in _fields(type(made)).items() if _extra(info).get("path")}
    given = {name: getattr(made, name) for name in _fields(type(made))}
    return {name: bool(value) if name in paths else _portable(value) for name, value in given.items()}


def describe(cls: type[Any], prefix: str = "", instance: Any = None) -> Iterator[FieldDoc]:
    """Yield one `FieldDoc` for every leaf option of `cls`, depth first, in declaration order.

    Defaults are those of `instance` where one is given: a section may be declared with its own.
    """
    hints = typing.get_type_hints(cls)
    for name, info in _fields(cls).items():
        path, default = f"{prefix}{name}", _default(info) if instance is None else getattr(instance, name)
        inner, mark = _section(hints[name])
        if inner is not None:
            yield from describe(inner, f"{path}{mark}.", default if dataclasses.is_dataclass(default) else None)
            continue
        shown = "required" if default is ... else json.dumps(default, default=str)
        yield FieldDoc(path, _type_name(hints[name]), shown, _range(info), info.description or "")


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number (YAML 1.2) and refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build one mapping; a doubled key is a mistake that would otherwise win silently."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(self.construct_object(key_node))
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def _fields(cls: type[Any]) -> dict[str, FieldInfo]:
    return cast(dict[str, FieldInfo], cls.__pydantic_fields__)


def _extra(info: FieldInfo) -> JSON:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def _portable(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_portable(part) for part in value]
    return without_paths(value) if dataclasses.is_dataclass(value) else value


def _default(info: FieldInfo) -> Any:
    return ... if info.is_required() else info.get_default(call_default_factory=True, validated_data={})


def _filled(cls: type[Any], mapping: Mapping[str, Any]) -> JSON:
    """Lay `mapping` over the declared defaults of its sections, so that part of a section can be given."""
    result = dict(mapping)
    for name, info in _fields(cls).items():
        default = _default(info)
        if dataclasses.is_dataclass(default) and isinstance(result.get(name), Mapping):
            result[name] = _overlaid(to_mapping(default), result[name])
    return result


def _overlaid(base: JSON, change: Mapping[str, Any]) -> JSON:
    both = {
        k: _overlaid(base[k], v) for k, v in change.items() if isinstance(v, Mapping) and isinstance(base.get(k), dict)
    }
    return {**base, **change, **both}


def _section(hint: Any) -> tuple[type[Any] | None, str]:
    """Return the config class behind a hint, and `[]` when it is a list of such sections."""
    listed = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple and typing.get_args(hint) else None
    if dataclasses.is_dataclass(listed):
        return cast(type[Any], listed), "[]"
    return (cast(type[Any], hint), "") if dataclasses.is_dataclass(hint) else (None, "")


def _problem(cls: type[Any], source: str, error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "unexpected_keyword_argument":
        return f"{source}: {path}: unknown key{_nearest(cls, path)}"
    if error["type"] == "missing":
        return f"{source}: {path}: required, but not given"
    value = error.get("input")
    given = "" if isinstance(value, dict) else f", got {value!r}"
    if error["type"] == "tuple_type" and isinstance(value, str | int | float):
        given += f"; a list of one is [{value}]"
    return f"{source}: {path}: {error['msg'][0].lower()}{error['msg'][1:]}{given}"


def _nearest(cls: type[Any], path: str) -> str:
    known = [doc.path for doc in describe(cls)]
    section, _, leaf = re.sub(r"\.\d+", "[]", path).rpartition(".")
    start = f"{section}." if section else ""
    siblings = {p.removeprefix(start).partition(".")[0].rstrip("[]"): p for p in known if p.startswith(start)}
    exact = [p for p in known if p.rpartition(".")[2] == leaf]
    close = [p for p in exact if p.startswith(start)] or exact
    close = close or difflib.get_close_matches(leaf, siblings, n=3, cutoff=0.5)
    if not close:
        elsewhere = {p.rpartition(".")[2]: p for p in known}
        close = [elsewhere[n] for n in difflib.get_close_matches(leaf, elsewhere, n=2, cutoff=0.8)]
    names = close or sorted(siblings)
    return f"; {'did you mean' if close else 'known here'}: {', '.join(names)}"


def _bad_values(made: Any, prefix: str = "") -> Iterator[str]:
    for name, info in _fields(type(made)).items():
        value, path = getattr(made, name), f"{prefix}{name}"
        for number, part in enumerate(value) if isinstance(value, tuple) else ():
            if dataclasses.is_dataclass(part):
                yield from _bad_values(part, f"{path}.{number}.")
            if not all(_HOLDS[sign](part, bound) for sign, bound in _extra(info).get("each", {}).items()):
                yield f"{path}.{number}: expected {', '.join(_bounds(info))}, got {part!r}"
        if dataclasses.is_dataclass(value):
            yield from _bad_values(value, f"{path}.")
        choices = _extra(info).get("choices")
        if isinstance(choices, list):
            known = [str(choice) for choice in choices]
            for given in value if isinstance(value, tuple) else (value,):
                if given is not None and given not in known:
                    close = difflib.get_close_matches(str(given), known, n=2)
                    hint = f" (did you mean {', '.join(close)}?)" if close else ""
                    yield f"{path}: {given!r} is not one of {', '.join(known)}{hint}"


def _range(info: FieldInfo) -> str:
    lengths = [f"{m.min_length} or more" for m in info.metadata if getattr(m, "min_length", None)]
    choices = _extra(info).get("choices")
    return " | ".join(map(str, choices)) if isinstance(choices, list) else ", ".join([*_bounds(info), *lengths])


def _bounds(info: FieldInfo) -> list[str]:
    known = {k: getattr(m, k) for m in info.metadata for k in _BOUNDS if getattr(m, k, None) is not None}
    return [f"{_BOUNDS[k]} {bound:g}" for k, bound in (known | _extra(info).get("each", {})).items()]


def _type_name(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(map(repr, typing.get_args(hint)))
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("pathlib.", "")
