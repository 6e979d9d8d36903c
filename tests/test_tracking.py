"""MLflow and Optuna behind their protocols, on real stores in a temporary folder."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from graphrec.core import _mlflow
from graphrec.core._mlflow import MlflowClient, open_run, reachable, tracking_uri
from graphrec.core._optuna import open_search
from graphrec.core.search import MemorySearch, Point, all_subsets
from graphrec.core.tracking import NullTracker


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The first use of a store migrates it for seconds: one store for all tests of the file.
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.chdir(home)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return MlflowClient(tracking_uri())


def value(point: Point) -> float:
    return sum(point.values()) - 3.0 * point["c"]


def test_a_run_has_children_and_grandchildren_with_step_metrics(store: MlflowClient, home: Path) -> None:
    (home / "page.html").write_text("<p>hello</p>")
    with open_run(experiment="tree", name="demo", tags={"target": "t"}, previous=None) as run:
        run.log_params({f"option.{n}": "x" * 1000 for n in range(150)})
        run.log_artifact(home / "page.html")
        with run.child("pretrain") as stage, stage.child("trial 0") as trial:
            for epoch in range(3):
                stage.log_metrics({"loss": 1 / (epoch + 1), "valid": 0.1}, step=epoch)
            trial.log_metrics({"value": 0.5})
    runs = {r.info.run_name: r for r in store.search_runs([run.experiment])}
    parents = {name: r.data.tags.get("mlflow.parentRunId") for name, r in runs.items()}
    assert parents == {"demo": None, "pretrain": run.run, "trial 0": runs["pretrain"].info.run_id}
    assert {r.info.status for r in runs.values()} == {"FINISHED"}
    assert len(runs["demo"].data.params) == 150
    assert [m.step for m in store.get_metric_history(runs["pretrain"].info.run_id, "loss")] == [0, 1, 2]
    assert [f.path for f in store.list_artifacts(run.run)] == ["page.html"]


def test_a_failed_stage_ends_as_failed(store: MlflowClient) -> None:
    with (
        pytest.raises(RuntimeError),
        open_run(experiment="fail", name="r", tags={}, previous=None) as run,
        run.child("s"),
    ):
        raise RuntimeError("stop")
    assert {r.info.status for r in store.search_runs([run.experiment])} == {"FAILED"}


def test_an_interrupted_run_is_reopened_and_a_forgotten_one_is_not_missed(store: MlflowClient) -> None:
    with open_run(experiment="again", name="r", tags={}, previous=None) as first:
        pass
    with open_run(experiment="again", name="r", tags={}, previous=first.run) as second:
        assert second.run == first.run
    with open_run(experiment="again", name="r", tags={}, previous="0" * 32) as third:
        assert third.run != first.run


def test_a_store_that_fails_in_the_middle_costs_a_warning_only(
    store: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    with open_run(experiment="middle", name="r", tags={}, previous=None) as run:
        store.delete_run(run.run)
        run.log_metrics({"x": 1.0})
    assert "tracking: " in caplog.text


def test_a_server_that_does_not_answer_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert "127.0.0.1:1, which does not answer" in reachable()
    with open_run(experiment="e", name="r", tags={}, previous=None) as run, run.child("stage") as stage:
        stage.log_metrics({"x": 1.0})
    assert isinstance(stage, NullTracker)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    assert reachable() == ""
    assert _mlflow.tracking_uri() == "sqlite:///x.db"


def test_the_ui_serves_the_local_store_on_loopback(store: MlflowClient, home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    command = [str(Path(sys.executable).parent / "graphrec"), "ui", "--port", str(port)]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 90
            while server.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as page:
                    assert page.status == 200
                    return
                time.sleep(0.5)
            pytest.fail("the server did not answer within 90 s")
        finally:
            server.terminate()


def test_finished_trials_are_not_run_again(tmp_path: Path) -> None:
    points, seen = all_subsets(("a", "b", "c")), []

    def objective(point: Point) -> float:
        seen.append(dict(point))
        if len(seen) == 4:
            raise KeyboardInterrupt
        return value(point)

    journal = tmp_path / "sub" / "optuna.journal"
    with pytest.raises(KeyboardInterrupt):
        open_search(journal, "study", lambda *_: None).run(points, objective)
    # What kill -9 in the middle of a write leaves: the lock and half a line.
    journal.with_name("optuna.journal.lock").symlink_to(journal)
    journal.write_bytes(journal.read_bytes() + b'{"op_code": 4, "worker')
    told: list[int] = []
    trials = open_search(journal, "study", lambda number, *_: told.append(number)).run(points, objective)
    assert [t.point for t in trials] == points
    assert [t.value for t in trials] == [value(point) for point in points]
    assert len(seen) == len(points) + 1, "only the interrupted trial ran twice"
    assert len(told) == 5
    assert trials == MemorySearch().run(points, value)


def test_subsets_begin_with_none_and_end_with_all() -> None:
    assert all_subsets(()) == [{}]
    points = all_subsets(("a", "b"))
    assert (points[0], points[-1], len(points)) == ({"a": False, "b": False}, {"a": True, "b": True}, 4)
