"""The command line as a user meets it: speed of help, mistakes, examples, options."""

import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from graphrec.cli.config import RunConfig, load_config, options_of
from graphrec.cli.examples import example_folder, list_examples
from graphrec.cli.main import main
from graphrec.cli.table import STAGES, needed
from graphrec.core.config import describe, parse, to_mapping
from tests.house import HOME

GRAPHREC = str(Path(sys.executable).parent / "graphrec")


Told = namedtuple("Told", "returncode stdout stderr")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """The command line in this process: what a call prints and its exit code."""

    def call(*arguments: str, cwd: Path | None = None) -> Told:
        monkeypatch.setattr(sys, "argv", ["graphrec", *arguments])
        monkeypatch.setenv("COLUMNS", "1000")
        monkeypatch.chdir(cwd or Path.cwd())
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Told(end.value.code or 0, *capsys.readouterr())

    return call


def graphrec(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as it is installed."""
    return subprocess.run([GRAPHREC, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_help_is_instant_and_loads_no_torch() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert graphrec("--help").returncode == 0
        times.append(time.perf_counter() - start)
    # The budget is for a quiet machine: the best of three is what the program itself needs.
    assert min(times) < 0.3
    code = "import sys, graphrec.cli.main, graphrec.cli.config; print({'torch', 'mlflow', 'polars'} & set(sys.modules))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "set()"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_help_ends_with_its_options(stage: str, in_process: Callable[..., Told]) -> None:
    shown = in_process(stage, "--help")
    assert shown.returncode == 0
    assert all(doc.path in shown.stdout for doc in options_of(stage))


@pytest.mark.parametrize("stage", ["run", *STAGES])
def test_show_prints_every_option(stage: str, in_process: Callable[..., Told]) -> None:
    shown = in_process("show", stage)
    assert shown.returncode == 0, shown.stderr
    first = [line.split()[0] for line in shown.stdout.splitlines()]
    assert first == ["option", *(doc.path for doc in options_of(stage))]


def test_show_cuts_no_key_in_a_pipe_or_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, in_process: Callable[..., Told]
) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda _: True))
    monkeypatch.setattr("rich.console.Console.width", property(lambda _: 80))
    narrow = in_process("show", "select").stdout
    assert all(doc.path in narrow for doc in options_of("select"))
    monkeypatch.delenv("COLUMNS")
    piped = graphrec("show", "select").stdout
    assert [line.split()[0] for line in piped.splitlines()[1:]] == [doc.path for doc in options_of("select")]


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "graphrec", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == graphrec("--version").stdout != ""


@pytest.mark.parametrize("path", sorted(example_folder().glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_yaml_loads_and_says_how_to_launch_it(path: Path) -> None:
    config = load_config(path, [])
    assert parse(RunConfig, to_mapping(config), source="again") == config
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert lines[1].startswith("# Run it with: graphrec ")


def test_the_example_of_a_late_domain_loads(tmp_path: Path) -> None:
    page = (HOME / "docs" / "arrival.md").read_text(encoding="utf-8")
    (tmp_path / "new.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert load_config(tmp_path / "new.yaml", []).target == "garden"


def test_every_option_has_one_sentence_of_help() -> None:
    assert not [doc.path for doc in describe(RunConfig) if not doc.help.endswith((".", "?"))]


def test_examples_are_listed_written_and_never_overwritten(tmp_path: Path, in_process: Callable[..., Told]) -> None:
    assert {line.split()[0] for line in list_examples()} == {p.stem for p in (HOME / "configs").glob("*.yaml")}
    assert in_process("init", "--example", "quick", cwd=tmp_path).stdout == "wrote quick.yaml\n"
    assert (tmp_path / "quick.yaml").read_text().splitlines()[1].endswith("graphrec run quick.yaml")
    again = in_process("init", "--example", "quick", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (
        2,
        "error: quick.yaml: exists already; choose another file with --out\n",
    )
    typo = in_process("init", "--example", "quik", cwd=tmp_path)
    assert (typo.returncode, typo.stderr) == (2, "error: no example 'quik'; did you mean quick?\n")


MINIMAL = "name: x\ntarget: d\ningest:\n  tables:\n    interactions: [{path: e.csv, as_domain: d, time: t}]\n"
SEVERAL = MINIMAL.replace("target: d", "target: u0").replace("as_domain: d", "domain: user")
EVENTS = "user,item,t\n" + "".join(f"u{n % 7},i{n % 5},{n}\n" for n in range(35))


@pytest.mark.parametrize(
    ("yaml", "events", "message"),
    [
        (MINIMAL + "pretran: {}", EVENTS, "error: run.yaml: pretran: unknown key; did you mean: pretrain\n"),
        (
            MINIMAL.replace("target: d\n", ""),
            EVENTS,
            "error: target: not given, and this needs one; set target=DOMAIN (domains of the data: d)\n",
        ),
        (MINIMAL.replace("e.csv", "f.csv"), EVENTS, "error: f.csv: no such file; . has "),
        (
            MINIMAL,
            EVENTS.replace("u3", ""),
            "error: e.csv: column 'user': 5 rows without an id (rows 4, 11, 18, 25, 32); ",
        ),
        (
            MINIMAL,
            EVENTS.replace("31\n", "x\n"),
            "error: e.csv: column 't': 1 row whose value is no time like the first ones (row 32: 'x')",
        ),
        (
            MINIMAL.replace("as_domain: d, time: t", "domain: user, domains: [c]"),
            EVENTS,
            "error: e.csv: domains: no rows of 'c'; the table has 'u0', 'u1'",
        ),
        (MINIMAL.replace("target: d", "target: e"), EVENTS, "error: target 'e': not in the data; known domains: d\n"),
        (
            MINIMAL + "sources: e\n",
            EVENTS,
            "error: run.yaml: sources: input should be a valid array, got 'e'; a list of one is [e]\n",
        ),
        (
            MINIMAL + "    triples: [{path: t.csv, heads: items}]\n    link_by_id: true",
            EVENTS,
            "error: triples: 1 with an unknown item as head (row 2: 'i9'); ",
        ),
        ("a: [", EVENTS, "error: run.yaml: not valid YAML: "),
        (SEVERAL + "sources: [u1, u2, u1]\n", EVENTS, "error: sources: 'u1' given more than once; "),
        (SEVERAL + "sources: [u1, u0]\n", EVENTS, "error: sources: 'u0' is the target, "),
        (SEVERAL + "sources: [u1, u9]\n", EVENTS, "error: sources 'u9': not on offer; there are u1, u2, u3"),
        (
            SEVERAL + "select: {search: exhaustive}\n",
            EVENTS + "".join(f"w{n},i{k},{n}\n" for n in range(13) for k in range(3)),
            "error: select.search: exhaustive tries all 524,288 subsets of 19 sources; it takes 12 sources at most, ",
        ),
        (
            MINIMAL + "select: {evidence: {ridges: []}}\n",
            EVENTS,
            "error: run.yaml: select.evidence.ridges: tuple should",
        ),
        (
            MINIMAL + "adapt: {evidence: {ridges: [1, -1]}}\n",
            EVENTS,
            "error: run.yaml: adapt.evidence.ridges.1: expected > 0, got -1.0\n",
        ),
    ],
    ids=[
        "key",
        "required",
        "file",
        "null",
        "type",
        "empty domain",
        "target",
        "no list",
        "unknown item",
        "syntax",
        "doubled source",
        "target as source",
        "unknown source",
        "too many sources",
        "no ridge",
        "negative ridge",
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    tmp_path: Path, in_process: Callable[..., Told], yaml: str, events: str, message: str
) -> None:
    (tmp_path / "run.yaml").write_text(yaml)
    (tmp_path / "e.csv").write_text(events)
    (tmp_path / "t.csv").write_text("head,relation,tail\ni1,made_by,acme\ni9,made_by,acme\n")
    done = in_process("run", "run.yaml", "--no-track", cwd=tmp_path)
    errors = [line for line in done.stderr.splitlines(keepends=True) if line.startswith("error: ")]
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(errors) == 1
    assert errors[0].startswith(message)


def test_a_missing_run_or_config_is_one_line(tmp_path: Path, in_process: Callable[..., Told]) -> None:
    calls = (["run", "no.yaml"], ["report", "no"], ["recommend", "no", "--out", "x.parquet"])
    for done in (graphrec(*calls[0], cwd=tmp_path), *(in_process(*arguments, cwd=tmp_path) for arguments in calls)):
        assert done.returncode == 2
        assert done.stderr.startswith("error: no")
        assert len(done.stderr.splitlines()) == 1


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path, in_process: Callable[..., Told]) -> None:
    (tmp_path / "done").mkdir()
    assert in_process("adapt", "done", cwd=tmp_path)[::2] == (
        2,
        "error: done: a run's folder needs --target DOMAIN.yaml, the domain that arrived later; to adapt again, give "
        "the YAML of the run\n",
    )
    for arguments in (["run", "done"], ["sweep", "done"], ["adapt", "done", "--target", "done"]):
        told = in_process(*arguments, cwd=tmp_path)
        assert told[::2] == (2, "error: done: is a folder; expected the YAML file of a run\n")


def test_unknown_commands_and_stages_are_usage_errors(in_process: Callable[..., Told]) -> None:
    assert in_process("rnu").returncode == 2
    assert in_process("show", "denose").returncode == 2


def test_a_stage_needs_exactly_its_ancestors() -> None:
    assert needed("merge") == ["ingest", "denoise", "merge"]
    assert needed("export") == ["ingest", "denoise", "merge", "pretrain", "select", "adapt", "longtail", "export"]


def test_a_foreign_package_in_place_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "finetune").mkdir()
    (tmp_path / "finetune" / "__init__.py").write_text("")
    code = "import sys; sys.argv = ['graphrec', '--version']; from graphrec.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "package 'finetune' is not graphrec's own" in done.stderr
