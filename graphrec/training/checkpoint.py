"""Checkpoints: what a killed fit needs to go on and end with the same bytes.

Two files, no pickle: `LABEL.EPOCH.safetensors` (parameters, moments, best parameters) and
`LABEL.json` (epoch, curve, best), which names the former and is written last, both by rename.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from graphrec.core import files
from graphrec.core.types import JSON
from graphrec.training.optimizer import Optimizer
from graphrec.training.world import World

Tensors = dict[str, torch.Tensor]


@dataclass(kw_only=True)
class Progress:
    """Where a fit stands: what JSON remembers of it.

    `start` and `best` are validation scores, None where there is none; `stale` counts validations
    since the best one.
    """

    epoch: int = 0
    start: float | None = None
    best: float | None = None
    best_epoch: int = 0
    stale: int = 0
    finished: bool = False
    curve: list[JSON] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of one fit. `key` says which fit it is; a file of another key is not read.

    The processes of a `world` have one index, written when the tensors of all are whole, in a folder that all see.
    """

    folder: Path
    label: str
    key: JSON
    world: World | None = None

    def save(self, progress: Progress, tensors: Tensors) -> None:
        """Write `progress` and `tensors`; the former checkpoint goes once the new one is whole."""
        epoch = "final" if progress.finished else progress.epoch
        save_tensors(self._tensors(epoch), tensors)
        self._meet()
        if self.world is None or self.world.rank == 0:
            files.write_json(self._index, {"key": self.key, "tensors": epoch, "progress": vars(progress)})
        self._meet()
        for old in self.folder.glob(self._tensors("*").name):
            if old != self._tensors(epoch):
                old.unlink()

    def load(self) -> tuple[Progress, Tensors] | None:
        """Return what `save` wrote last, or None when there is nothing of this fit."""
        if not self._index.exists():
            return None
        index = files.read_json(self._index)
        if index["key"] != self.key:
            return None
        return Progress(**index["progress"]), load_file(self._tensors(index["tensors"]))

    def _tensors(self, epoch: int | str) -> Path:
        mine = self.label if self.world is None else f"{self.label}-{self.world.rank}of{self.world.size}"
        return self.folder / f"{mine}.{epoch}.safetensors"

    def _meet(self) -> None:
        if self.world is not None:
            self.world.most(0)

    @property
    def _index(self) -> Path:
        return self.folder / f"{self.label}.json"


def hand_over(label: str, source: Path, destination: Path) -> None:
    """Copy the checkpoint `label` to another folder, if it is in `source` and not there yet, the index last.

    A fit of the same key then goes on from it there; one of another key does not look at it.
    """
    index = f"{label}.json"
    if not (source / index).exists() or (destination / index).exists():
        return
    for path in (*source.glob(f"{label}.*.safetensors"), source / index):
        part = destination / f".{path.name}.part"
        shutil.copyfile(path, part)
        part.replace(destination / path.name)


def save_tensors(path: Path, tensors: Tensors, metadata: Mapping[str, str] | None = None) -> None:
    """Write `tensors` as safetensors by rename: the file is whole or absent."""
    part = path.with_name(f".{path.name}.part")
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, part, dict(metadata or {}))
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def optimizer_tensors(optimizer: Optimizer, names: Mapping[str, torch.nn.Parameter]) -> Tensors:
    """Return the optimiser's state of every parameter, named `adam.STATE.PARAMETER`."""
    return {
        f"adam.{state}.{name}": value
        for name, parameter in names.items()
        for state, value in optimizer.state(parameter).items()
    }


def restore_optimizer(optimizer: Optimizer, names: Mapping[str, torch.nn.Parameter], tensors: Tensors) -> None:
    """Put the state that `optimizer_tensors` named back into `optimizer`."""
    for name, parameter in names.items():
        optimizer.state(parameter).update(_state(name, parameter, tensors))


def _state(name: str, parameter: torch.nn.Parameter, tensors: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    for key, value in tensors.items():
        _, _, rest = key.partition("adam.")
        state, _, owner = rest.partition(".")
        if owner == name:
            yield state, value.to(parameter.device)
