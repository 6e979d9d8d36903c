from pathlib import Path

import pytest

from graphrec.core.config import (
    apply_overrides,
    config,
    describe,
    option,
    parse,
    parse_yaml,
    read_yaml,
    to_mapping,
    without_paths,
)
from graphrec.core.errors import ConfigError


@config
class Optim:
    """Optimiser options."""

    lr: float = option(default=1e-3, gt=0, help="Learning rate.")
    kind: str = option(default="adam", choices=("adam", "sgd"), help="Which optimiser.")


@config
class Job:
    """Options of a job."""

    epochs: int = option(default=10, ge=1, le=100, help="Epochs.")
    optim: Optim = option(default=Optim(), help="Optimiser.")
    parts: tuple[Optim, ...] = option(default=(), help="More of them.")
    folder: Path = option(help="Where.")


def read(text: str) -> Job:
    return parse(Job, parse_yaml(text, source="job.yaml"), source="job.yaml")


def test_yaml_becomes_typed_values() -> None:
    job = read("folder: x\nepochs: 3\noptim: {lr: 1e-3}\nparts: [{lr: 2}]")
    assert job == Job(folder=Path("x"), epochs=3, optim=Optim(lr=0.001), parts=(Optim(lr=2.0),))


def test_a_section_given_in_part_keeps_the_rest_of_its_declared_default() -> None:
    @config
    class Fit:
        """Options of a fit."""

        optim: Optim = option(default=Optim(lr=0.5, kind="sgd"), help="Optimiser.")

    @config
    class Outer:
        """Options around a fit."""

        fit: Fit = option(default=Fit(), help="The fit.")

    made = parse(Outer, {"fit": {"optim": {"lr": 2}}}, source="x")
    assert made.fit.optim == Optim(lr=2.0, kind="sgd")
    assert [doc.default for doc in describe(Outer)] == ["0.5", '"sgd"']


def test_what_does_not_depend_on_the_machine() -> None:
    @config
    class Table:
        """A table."""

        path: str = option(path=True, help="Where.")
        keep: tuple[int, ...] = option(default=(), help="What stays.")

    @config
    class Tables:
        """Tables."""

        folder: str | None = option(default=None, path=True, help="Where.")
        many: tuple[Table, ...] = option(default=(), help="Which.")
        one: Optim = option(default=Optim(), help="A section.")

    made = parse(Tables, {"many": [{"path": "a", "keep": [1]}]}, source="x")
    assert without_paths(made) == {
        "folder": False,
        "many": [{"path": True, "keep": [1]}],
        "one": {"lr": 0.001, "kind": "adam"},
    }


def test_a_range_holds_for_every_number_of_a_tuple() -> None:
    @config
    class Grid:
        """Options of a grid."""

        sizes: tuple[float, ...] = option(default=(1.0, 3.0), gt=0, le=9, min_length=1, help="Sizes.")
        any: tuple[int, ...] = option(default=(), help="Anything.")

    assert parse(Grid, {"sizes": [0.5, 9]}, source="x").sizes == (0.5, 9.0)
    assert [doc.range for doc in describe(Grid)] == ["> 0, <= 9, 1 or more", ""]
    with pytest.raises(ConfigError) as told:
        parse(Grid, {"sizes": [-1, 2, 10]}, source="x")
    assert str(told.value).splitlines() == [
        "x: sizes.0: expected > 0, <= 9, got -1.0",
        "x: sizes.2: expected > 0, <= 9, got 10.0",
    ]
    with pytest.raises(ConfigError, match="x: sizes: tuple should have at least 1 item"):
        parse(Grid, {"sizes": []}, source="x")


def test_round_trip_through_a_mapping() -> None:
    job = read("folder: x\nparts: [{kind: sgd}]")
    assert parse(Job, to_mapping(job), source="again") == job


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("folder: x\noptim: {lrr: 1}", "job.yaml: optim.lrr: unknown key; did you mean: lr"),
        ("folder: x\nlr: 1", "job.yaml: lr: unknown key; did you mean: optim.lr, parts[].lr"),
        ("folder: x\nzzz: 1", "job.yaml: zzz: unknown key; known here: epochs, folder, optim, parts"),
        ("folder: x\nparts: [{lrr: 1}]", "job.yaml: parts.0.lrr: unknown key; did you mean: lr"),
        ("folder: x\nepochs: '3'", "job.yaml: epochs: input should be a valid integer, got '3'"),
        ("folder: x\nepochs: true", "job.yaml: epochs: input should be a valid integer, got True"),
        ("folder: x\nepochs: 2.5", "job.yaml: epochs: input should be a valid integer, got 2.5"),
        ("folder: x\nepochs: 0", "job.yaml: epochs: input should be greater than or equal to 1, got 0"),
        ("folder: x\noptim: {lr: .nan}", "job.yaml: optim.lr: input should be a finite number, got nan"),
        ("folder: x\noptim: {kind: adm}", "job.yaml: optim.kind: 'adm' is not one of adam, sgd (did you mean adam?)"),
        ("folder: x\noptim: 3", "job.yaml: optim: input should be an object, got 3"),
        ("epochs: 3", "job.yaml: folder: required, but not given"),
        ("- 1", "job.yaml: expected a mapping of option names to values at the top"),
    ],
)
def test_a_mistake_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value) == message


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read("epochs: 0\noptim: {lrr: 1}")
    assert len(str(caught.value).splitlines()) == 3


def test_a_key_written_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="'epochs' is written twice"):
        read("folder: x\nepochs: 1\nepochs: 2")


def test_missing_file_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; `graphrec init`"):
        read_yaml(tmp_path / "none.yaml")


def test_overrides_reach_nested_keys_and_leave_the_input_alone() -> None:
    given = {"optim": {"lr": 1}}
    assert apply_overrides(given, ["optim.lr=2e-2", "name=a b"]) == {"optim": {"lr": 0.02}, "name": "a b"}
    assert given == {"optim": {"lr": 1}}


@pytest.mark.parametrize("override", ["epochs", "=3", "optim.lr.x=3"])
def test_a_bad_override_is_named(override: str) -> None:
    with pytest.raises(ConfigError, match="override"):
        apply_overrides({"optim": {"lr": 1}}, [override])


def test_describe_lists_every_leaf_with_range_and_help() -> None:
    docs = {doc.path: doc for doc in describe(Job)}
    assert list(docs) == ["epochs", "optim.lr", "optim.kind", "parts[].lr", "parts[].kind", "folder"]
    assert (docs["epochs"].range, docs["epochs"].default, docs["epochs"].help) == (">= 1, <= 100", "10", "Epochs.")
    assert docs["optim.kind"].range == "adam | sgd"
    assert docs["folder"].default == "required"
