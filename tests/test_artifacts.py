import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from graphrec.core.artifacts import Artifact, Recipe, RunFolder
from graphrec.core.errors import ArtifactError
from graphrec.core.source import source_hash
from graphrec.core.workspace import Workspace

RECIPE = Recipe(stage="merge", config={"a": 1}, seed=0, parents={"ingest": "f"}, code="c", libraries={"numpy": "2"})


def write(out: Path, workspace: Workspace) -> None:
    (out / "sub").mkdir()
    (out / "sub" / "data.txt").write_text("hello")
    (workspace.path / "scratch").write_text("x")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_a_made_artifact_is_found_and_its_workspace_gone(run: RunFolder) -> None:
    made = run.make(RECIPE, write, facts={"threads": 2})
    found = run.find(RECIPE)
    assert found is not None
    assert found.fingerprint == made.fingerprint == RECIPE.fingerprint
    assert found.file("sub/data.txt").read_text() == "hello"
    assert not list((run.path / "work").iterdir())


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"config": {"a": 2}}, {"parents": {"ingest": "g"}}, {"code": "d"}, {"libraries": {"numpy": "3"}}],
)
def test_whatever_could_change_the_bytes_changes_the_fingerprint(change: dict[str, object]) -> None:
    assert replace(RECIPE, **change).fingerprint != RECIPE.fingerprint  # type: ignore[arg-type]


def test_a_stage_that_raises_leaves_nothing_that_counts(run: RunFolder) -> None:
    def fail(out: Path, workspace: Workspace) -> None:
        write(out, workspace)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        run.make(RECIPE, fail, facts={})
    assert run.find(RECIPE) is None
    assert list((run.path / "work").iterdir()), "the workspace stays, to resume from"
    run.make(RECIPE, write, facts={})
    assert run.find(RECIPE) is not None


@pytest.mark.parametrize("damage", ["truncate", "delete", "flip"])
def test_damage_is_seen(run: RunFolder, damage: str) -> None:
    made = run.make(RECIPE, write, facts={})
    file = made.file("sub/data.txt")
    {"truncate": lambda: file.write_text("h"), "delete": file.unlink, "flip": lambda: file.write_text("jello")}[
        damage
    ]()
    with pytest.raises(ArtifactError, match=r"sub/data\.txt: .*delete .* and run again"):
        Artifact.open(made.path, verify=True)


def test_a_folder_without_manifest_or_of_another_schema_does_not_count(run: RunFolder) -> None:
    made = run.make(RECIPE, write, facts={})
    manifest = made.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 99'))
    with pytest.raises(ArtifactError, match="schema 99"):
        Artifact.open(made.path)
    manifest.unlink()
    with pytest.raises(ArtifactError, match="not a finished artifact"):
        Artifact.open(made.path)
    assert run.find(RECIPE) is None


def test_kill_while_writing_leaves_nothing_that_counts(run: RunFolder) -> None:
    code = f"""
import os, signal
from pathlib import Path
from graphrec.core.artifacts import Recipe, RunFolder
def write(out, workspace):
    (out / "data.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
RunFolder(Path({str(run.path)!r})).make(Recipe(**{vars(RECIPE)!r}), write, facts={{}})
"""
    died = subprocess.run([sys.executable, "-c", code], check=False, env=dict(os.environ))
    assert died.returncode == -signal.SIGKILL
    assert run.find(RECIPE) is None
    run.make(RECIPE, write, facts={})
    assert not (run.path / "artifacts" / f"merge-{RECIPE.fingerprint[:12]}" / "data.txt").exists()


def test_a_run_in_use_is_refused(run: RunFolder) -> None:
    with run.lock(), pytest.raises(ArtifactError, match=f"in use by process {os.getpid()}"), run.lock():
        pass
    with run.lock():
        pass


def test_what_is_current_is_switched_at_once(run: RunFolder) -> None:
    run.make(RECIPE, write, facts={})
    other = replace(RECIPE, stage="export")
    run.publish({"merge": RECIPE, "export": other}, name="x")
    assert run.entry("name") == "x"
    assert run.current("merge").fingerprint == RECIPE.fingerprint
    with pytest.raises(ArtifactError, match="stage export has not finished"):
        run.current("export")
    with pytest.raises(ArtifactError, match="not a run folder"):
        RunFolder.open(run.path / "nowhere")


def test_a_report_is_remembered_by_the_artifacts_behind_it(run: RunFolder) -> None:
    run.make(RECIPE, write, facts={})
    assert not run.is_reported({"merge": RECIPE})
    run.publish({"merge": RECIPE}, name="x")
    run.mark_reported({"merge": RECIPE})
    run.publish({"merge": RECIPE}, name="y")
    assert run.is_reported({"merge": RECIPE})
    assert not run.is_reported({"merge": replace(RECIPE, seed=1)})


def test_a_run_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot be a run folder"), RunFolder(tmp_path / "file").lock():
        pass


def test_source_hash_follows_what_computes_not_what_prints(tmp_path: Path) -> None:
    home = Path(__file__).parent.parent
    for name in ("graphrec", "pretrain", "finetune", "kg_denoise"):
        shutil.copytree(home / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))

    def hashed() -> str:
        code = "from graphrec.core.source import source_hash; print(source_hash('graphrec.stages.ingest'))"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    def touch(name: str) -> None:
        (tmp_path / name).write_text((tmp_path / name).read_text() + "# changed\n")

    before = hashed()
    touch("graphrec/core/progress.py")
    touch("graphrec/stages/export.py")
    assert hashed() == before
    touch("graphrec/data/split.py")
    after = hashed()
    assert after != before
    touch("graphrec/core/ids.py")
    assert hashed() != after
    assert source_hash("graphrec.stages.ingest") != source_hash("graphrec.stages.export")
