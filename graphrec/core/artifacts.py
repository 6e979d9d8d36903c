"""Artifacts: what a stage hands to the next one, a folder that is complete or does not count.

A stage writes into `STAGE-FINGERPRINT/`; `manifest.json`, written last by rename, makes it count.
The fingerprint covers the stage's config, its parents' fingerprints, the seed, the source of the
stage and of the library folders it imports, and the versions of its main libraries: whatever
could change the bytes changes the name, so a finished stage is never run twice and a stale one
is never used.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphrec.core import files
from graphrec.core.errors import ArtifactError
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace

SCHEMA = 1
"""Version of the manifest and of the files beside it; a reader refuses any other."""

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides an artifact's bytes. Two equal recipes give equal artifacts."""

    stage: str
    config: JSON
    seed: int
    parents: Mapping[str, str]
    code: str
    libraries: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the recipe, in hex."""
        text = json.dumps({"schema": SCHEMA, **dataclasses.asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Artifact:
    """A complete artifact on disk."""

    path: Path
    manifest: JSON

    @classmethod
    def open(cls, path: Path, *, verify: bool = False) -> "Artifact":
        """Open the artifact at `path`.

        Sizes are always compared with the manifest, checksums too when `verify` is set. Raises
        `ArtifactError` when it is incomplete, of another schema, or damaged.
        """
        if not (path / MANIFEST).exists():
            raise ArtifactError(f"{path}: not a finished artifact (no {MANIFEST}); run its stage again")
        manifest = files.read_json(path / MANIFEST)
        if manifest.get("schema") != SCHEMA:
            raise ArtifactError(f"{path}: written with schema {manifest.get('schema')}, this version reads {SCHEMA}")
        for name, entry in manifest["files"].items():
            if not (path / name).exists() or (path / name).stat().st_size != entry["bytes"]:
                raise ArtifactError(f"{path / name}: missing or truncated; delete {path} and run again")
            if verify and files.file_hash(path / name) != entry["sha256"]:
                raise ArtifactError(f"{path / name}: contents differ from the manifest; delete {path} and run again")
        return cls(path, manifest)

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the recipe that made it."""
        return str(self.manifest["fingerprint"])

    def file(self, name: str) -> Path:
        """Return the path of one of its files; raise `ArtifactError` when it has no such file."""
        if name not in self.manifest["files"]:
            raise ArtifactError(f"{self.path}: has no {name}; it holds {', '.join(self.manifest['files'])}")
        return self.path / name


@dataclass(frozen=True)
class RunFolder:
    """One run on disk: `artifacts/` (kept for ever), `work/` (resume), `run.json` (what is current)."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open an existing run; raise `ArtifactError` when `path` holds none."""
        if not (path / "run.json").exists():
            raise ArtifactError(f"{path}: not a run folder (no run.json); make one with `graphrec run CONFIG`")
        return cls(path)

    def find(self, recipe: Recipe) -> Artifact | None:
        """Return the finished artifact of `recipe`, or None; a damaged one is an error, not a None."""
        folder = self._folder(recipe)
        return Artifact.open(folder) if (folder / MANIFEST).exists() else None

    def make(self, recipe: Recipe, write: Callable[[Path, Workspace], None], *, facts: JSON) -> Artifact:
        """Run `write(folder, workspace)` and seal the folder. `facts` (threads, time) go to the manifest.

        A half-written folder of an earlier, killed attempt is cleared first; its workspace is kept.
        """
        folder = self._folder(recipe)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        workspace = Workspace(self.path / "work").part(folder.name)
        start = time.monotonic()
        write(folder, workspace)
        seconds = round(time.monotonic() - start, 1)
        listed = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
        entries = {name: {"bytes": p.stat().st_size, "sha256": files.file_hash(p)} for name, p in listed.items()}
        manifest = {"schema": SCHEMA, "fingerprint": recipe.fingerprint, **dataclasses.asdict(recipe)}
        files.write_json(folder / MANIFEST, {**manifest, **facts, "seconds": seconds, "files": entries})
        shutil.rmtree(workspace.path, ignore_errors=True)
        return Artifact.open(folder)

    def publish(self, recipes: Mapping[str, Recipe], **entries: Any) -> None:
        """Switch `run.json`, by rename, to `entries` and to those of `recipes` that are finished."""
        found = {stage: self._folder(recipe).name for stage, recipe in recipes.items() if self.find(recipe)}
        self._write({**entries, "stages": found, "reported": self._entries().get("reported", {})})

    def is_reported(self, recipes: Mapping[str, Recipe]) -> bool:
        """Return whether metrics.json and the report were written from the artifacts of `recipes`."""
        return bool(self._entries().get("reported") == {s: self._folder(r).name for s, r in recipes.items()})

    def mark_reported(self, recipes: Mapping[str, Recipe]) -> None:
        """Note in `run.json` that metrics.json and the report show the artifacts of `recipes`."""
        self._write({**self._entries(), "reported": {s: self._folder(r).name for s, r in recipes.items()}})

    def entry(self, key: str) -> Any:
        """Return one entry of `run.json`; raise `ArtifactError` when the run has not got that far."""
        current = self._entries()
        if key not in current:
            raise ArtifactError(f"{self.path}: run.json has no {key!r} yet; finish the run first")
        return current[key]

    def current(self, stage: str) -> Artifact:
        """Return the artifact that the last run used for `stage`; raise `ArtifactError` when none."""
        stages = self.entry("stages")
        if stage not in stages:
            raise ArtifactError(f"{self.path}: stage {stage} has not finished; it holds {', '.join(stages)}")
        return Artifact.open(self.path / "artifacts" / stages[stage])

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process; raise `ArtifactError` when another one has it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArtifactError(
                f"{self.path}: cannot be a run folder ({error.strerror}); choose another with --out"
            ) from None
        with (self.path / ".lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                raise ArtifactError(
                    f"{self.path}: in use by process {file.read().strip()}; wait or use --out"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def _entries(self) -> JSON:
        path = self.path / "run.json"
        return files.read_json(path) if path.exists() else {}

    def _write(self, entries: JSON) -> None:
        files.write_json(self.path / "run.json", entries)

    def _folder(self, recipe: Recipe) -> Path:
        return self.path / "artifacts" / f"{recipe.stage}-{recipe.fingerprint[:12]}"
