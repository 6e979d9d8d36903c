"""The loop: batch, loss, backward, step; validate; keep the best epoch; checkpoint; resume.

Bitwise resume rests on one rule: a task draws epoch `e` from (seed, e) alone. Then parameters and
moments are the whole state, and no generator has to be stored.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch

from graphrec.core.config import to_mapping
from graphrec.core.errors import ConfigError
from graphrec.core.progress import logger, track
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.training.checkpoint import Checkpoint, Progress, Tensors, optimizer_tensors, restore_optimizer
from graphrec.training.config import FitConfig
from graphrec.training.optimizer import Optimizer, Parameters
from graphrec.training.world import World

B = TypeVar("B")
_LAST = 0.05  # of the learning rate that a schedule ends with


class Task(Protocol[B]):
    """What is trained. Random draws of an epoch depend on the seed and the epoch's number only."""

    def parameters(self) -> Parameters:
        """Return the parameters to train, by name; the same objects on every call."""
        ...

    def batches(self, epoch: int) -> Iterable[B]:
        """Return the batches of `epoch` (1, 2, ...)."""
        ...

    def loss(self, batch: B) -> torch.Tensor:
        """Return the scalar loss of `batch`, with a graph for `backward`."""
        ...

    def validate(self) -> float | None:
        """Return a score, higher is better; None or nan where there is nothing to validate on."""
        ...


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a fit went. `curve` has one row {"epoch", "loss", "valid"} per epoch, `valid` may be None.

    `best_epoch` 0 means that no epoch beat the parameters which the fit began with; `start` is
    their score. Without validation the last epoch counts as the best.
    """

    best_epoch: int
    best: float | None
    start: float | None
    curve: list[JSON]


def fit(
    task: Task[B],
    config: FitConfig,
    *,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
    label: str,
    rows: Collection[str] = (),
    world: World | None = None,
    about: JSON | None = None,
    stop: int | None = None,
) -> FitResult:
    """Train `task`, leave the best epoch's values in its parameters, and say how it went.

    A checkpoint called `label` is written to `workspace` after each epoch; with the same config, seed and `about`
    (what else decides the result) a later call goes on from it, or returns at once when it had finished. `rows`
    names the parameters whose gradients are sparse rows; these alone are touched by a step. In a `world` of several
    processes every one calls this, with its own rows and batches, as many of these as the others have. `stop` ends
    training after that epoch, at the learning rates that a whole fit has there. Raises `ConfigError` when the loss
    or a parameter stops being finite.
    """
    parameters = task.parameters()
    optimizer = Optimizer(parameters, config, rows, world)
    key = {"seed": seed, "config": to_mapping(config), "rows": sorted(rows), "about": about, "stop": stop}
    checkpoint = Checkpoint(workspace.path, label, key, world)
    progress, best = _resume(task, checkpoint, optimizer)
    last = config.epochs if stop is None else min(stop, config.epochs)
    for epoch in track(range(progress.epoch + 1, last + 1), label):
        if progress.finished or progress.stale >= config.patience:
            break
        optimizer.set_rate(learning_rate(config, epoch))
        with _precision(config.precision):
            loss = _train_epoch(task, epoch, optimizer, config, label)
        due = epoch % config.eval_every == 0 or epoch == last
        if _note(progress, epoch, loss, _score(task) if due else None):
            _assign(best, parameters)
        _log(progress.curve[-1], tracker, label)
        checkpoint.save(progress, _tensors(parameters, optimizer, best))
    if not progress.finished:
        progress.finished = True
        checkpoint.save(progress, {f"best.{name}": value for name, value in best.items()})
    _assign(parameters, best)
    return FitResult(best_epoch=progress.best_epoch, best=progress.best, start=progress.start, curve=progress.curve)


def learning_rate(config: FitConfig, epoch: int) -> float:
    """Return the learning rate of `epoch` (1, 2, ...), which depends on nothing else, so that a resumed fit has it."""
    if epoch <= config.warmup:
        return config.lr * epoch / (config.warmup + 1)
    if config.schedule == "constant":
        return config.lr
    done = (epoch - 1 - config.warmup) / max(1, config.epochs - 1 - config.warmup)
    return config.lr * (_LAST + (1 - _LAST) * (1 + math.cos(math.pi * done)) / 2)


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """Multiply matrices in that precision; torch has one setting for the whole process."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _train_epoch(task: Task[B], epoch: int, optimizer: Optimizer, config: FitConfig, label: str) -> float:
    losses = []
    for batch in task.batches(epoch):
        loss = task.loss(batch)
        optimizer.step(loss)
        losses.append(loss.detach())
    mean = float(torch.stack(losses).mean()) if losses else 0.0
    # The last step may be the one that breaks them, where no loss tells; a sum takes no memory.
    sound = all(bool(p.detach().sum().isfinite()) for p in task.parameters().values())
    if not math.isfinite(mean) or not sound:
        what = f"the loss is {mean}" if not math.isfinite(mean) else "a parameter is no longer finite"
        raise ConfigError(f"{label}: {what} in epoch {epoch}; lower `lr` (now {config.lr:g}) or set `clip`")
    return mean


def _resume(task: Task[B], checkpoint: Checkpoint, optimizer: Optimizer) -> tuple[Progress, Tensors]:
    found, parameters = checkpoint.load(), task.parameters()
    if found is None:
        start = _score(task)
        return Progress(start=start, best=start), _copy(parameters)
    progress, tensors = found
    best = {name: tensors[f"best.{name}"].to(p.device) for name, p in parameters.items()}
    if not progress.finished:
        _assign(parameters, {name: tensors[f"now.{name}"] for name in parameters})
        restore_optimizer(optimizer, parameters, tensors)
    logger.info("%s: goes on from epoch %d", checkpoint.label, progress.epoch)
    return progress, best


def _note(progress: Progress, epoch: int, loss: float, valid: float | None) -> bool:
    """Write the epoch into `progress` and return whether it is the best so far."""
    progress.epoch = epoch
    progress.curve.append({"epoch": epoch, "loss": loss, "valid": valid})
    if valid is not None and progress.best is not None and valid <= progress.best:
        progress.stale += 1
        return False
    if valid is None and progress.best is not None:
        return False
    progress.best, progress.best_epoch, progress.stale = valid, epoch, 0
    return True


def _score(task: Task[B]) -> float | None:
    value = task.validate()
    return None if value is None or math.isnan(value) else float(value)


def _log(row: JSON, tracker: Tracker, label: str) -> None:
    metrics = {f"{label}/{name}": row[name] for name in ("loss", "valid") if row[name] is not None}
    tracker.log_metrics(metrics, step=row["epoch"])
    valid = "" if row["valid"] is None else f", valid {row['valid']:.4f}"
    logger.info("%s: epoch %d, loss %.4f%s", label, row["epoch"], row["loss"], valid)


def _tensors(parameters: Parameters, optimizer: Optimizer, best: Tensors) -> Tensors:
    now = {f"now.{name}": p.detach() for name, p in parameters.items()}
    return {**now, **{f"best.{name}": t for name, t in best.items()}, **optimizer_tensors(optimizer, parameters)}


def _copy(parameters: Parameters) -> Tensors:
    return {name: p.detach().clone() for name, p in parameters.items()}


@torch.no_grad()
def _assign(tensors: Mapping[str, torch.Tensor], values: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in tensors.items():
        tensor.copy_(values[name])
