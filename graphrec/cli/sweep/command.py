"""`graphrec sweep CONFIG`: one worker or several, then what they found."""

import hashlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from graphrec.cli.config import load_config
from graphrec.cli.pipeline import inputs_of
from graphrec.cli.sweep._optuna import SharedStudy, open_study
from graphrec.cli.sweep.objectives import read_objectives, stages_of
from graphrec.cli.sweep.record import work_recorded
from graphrec.cli.sweep.show import found_so_far, print_found, write_found
from graphrec.cli.sweep.space import read_space
from graphrec.cli.sweep.trial import Plan
from graphrec.core.config import apply_overrides, read_yaml, to_mapping, without_paths
from graphrec.core.errors import ConfigError, GraphrecError
from graphrec.core.locks import shared_folder
from graphrec.core.progress import console, logger


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What was asked for on the command line. `storage` may hold a password: it is shown nowhere."""

    path: Path
    overrides: tuple[str, ...] = ()
    out: Path | None = None
    storage: str = field(default="", repr=False)
    track: bool = True

    def plan(self) -> Plan:
        """Read the configuration; raise one `ConfigError` that lists every problem of the search."""
        source, config = str(self.path), load_config(self.path, list(self.overrides))
        space, objectives = read_space(config, source), read_objectives(config, source)
        if config.sweep.pruner != "none" and len(objectives) > 1:
            raise ConfigError(f"{source}: sweep.pruner: {config.sweep.pruner} works with one objective only")
        folder = self.out or Path("runs") / config.name
        return Plan(config=config, source=source, folder=folder, space=space, objectives=objectives)

    def open(self, plan: Plan, *, make: bool = True) -> SharedStudy:
        """Open the study of `plan`; unless `make`, raise `ConfigError` where no worker has begun it.

        Its own name says all that decides its trials. One that was named is checked by all but paths, which differ
        from machine to machine.
        """
        config = plan.config
        kind = {f"sweep.{name}": getattr(config.sweep, name) for name in ("space", "objectives", "sampler")}
        read = {"input files": {name: inputs_of(config, name) for name in stages_of(plan.objectives)}}
        whole, portable = to_mapping(config), without_paths(config)
        del whole["sweep"], portable["sweep"], portable["name"]
        return open_study(
            self.storage or str(plan.folder / "sweep.journal"),
            config.sweep.study or f"{config.name}-{_hash([whole, kind, read])}",
            plan.space,
            config.sweep,
            larger_is_better=[objective.larger_is_better for objective in plan.objectives],
            seed=config.seed,
            key={name: _hash(value) for name, value in (portable | kind | read).items()},
            make=make,
        )

    def given(self) -> dict[str, Any]:
        """Return the options of the file and of the command line, without defaults."""
        return apply_overrides(read_yaml(self.path), self.overrides)


def run_sweep(sweep: Sweep, workers: int, *, show_only: bool = False) -> None:
    """Run the study with so many workers here, and print, and write, what was found."""
    plan = sweep.plan()
    if not show_only:
        # What a scheduler sends before it kills is as good as Ctrl-C: the trial is given back at once.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with shared_folder(plan.folder):
            plan.check_domains()
        _work(sweep) if workers == 1 else start_workers(_work, sweep, workers)
    found = found_so_far(sweep.open(plan, make=False), plan)
    if not show_only:
        write_found(found, plan, sweep.given())
    given = [text for text in sweep.overrides if not text.startswith("sweep.")]
    print_found(found, plan, str(sweep.path), given, written=not show_only)


def start_workers(target: Callable[[Any], None], argument: Any, workers: int) -> None:
    """Run `target(argument)` in so many processes and wait for them; raise `GraphrecError` when none ends well."""
    context = get_context("spawn")
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
    processes = [context.Process(target=_worker, args=(target, argument)) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        _join(processes)
    except KeyboardInterrupt:
        for process in processes:
            process.terminate()
        _join(processes)
        raise
    lost = [process.exitcode for process in processes if process.exitcode]
    if len(lost) == workers:
        raise GraphrecError("sweep: no worker came to its end; what they said stands above")
    if lost:
        logger.warning("sweep: %d of %d workers were lost; the others took over", len(lost), workers)


def _join(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        # With a timeout, because polars has waits without one go on after Ctrl-C.
        while process.is_alive():
            process.join(1)


def _worker(target: Callable[[Any], None], argument: Any) -> None:
    # A terminal sends Ctrl-C to all; the parent passes it on once, so that a trial is given back in peace.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    try:
        target(argument)
    except GraphrecError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _work(sweep: Sweep) -> None:
    """Be one worker."""
    plan = sweep.plan()
    with shared_folder(plan.folder):
        study = sweep.open(plan)
        console.print(f"study {study.study.study_name}, {study.size} trials")
        work_recorded(study, plan, plan.run, track=sweep.track)


def _hash(value: Any) -> str:
    # Not sorted: the order of the options decides the order of a grid.
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()[:8]
