"""Pretraining by several processes: events by user, table rows by node, both in one place only.

    here      makes the encoder, writes a part per process, starts them, puts their rows together again
    process   its users' events, its nodes' rows and their knowledge neighbours; see `pretrain.worker`

The parts hold no copies: user u belongs to process u % size, node n to n % size. What a step needs of
others' rows and neighbours it asks for. Only what is small (gates, recency) is everywhere.
"""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from graphrec.core import files
from graphrec.core.config import to_mapping
from graphrec.core.errors import ConfigError
from graphrec.core.progress import logger
from graphrec.core.workspace import Workspace
from graphrec.graph.graph import EventEdges, MultiDomainGraph
from graphrec.graph.knowledge import Knowledge
from graphrec.graph.neighbourhood import Neighbourhood
from graphrec.training.checkpoint import Progress, save_tensors
from graphrec.training.loop import FitResult
from pretrain.config import DistributedConfig, PretrainConfig
from pretrain.task import PretrainTask

JOB, TASK, RESULT = "job.json", "task", "result"
NEAR = ("touched", "indptr", "indices", "weight")
TRIPLES = ("source", "relation", "target", "weight")


@dataclass(frozen=True)
class Parts:
    """The folder that all processes see. `part(rank)` is what only one of them reads."""

    folder: Path

    def part(self, rank: int) -> Path:
        """Return the folder of one process, made when missing."""
        return Workspace(self.folder).part(f"part-{rank}").path

    def result(self, rank: int) -> Path:
        """Return the file of the rows that a process ended with."""
        return self.part(rank) / f"{RESULT}.safetensors"


def fit_distributed(
    task: PretrainTask, graph: MultiDomainGraph, config: PretrainConfig, *, seed: int, workspace: Workspace
) -> FitResult:
    """Train `task` in other processes and leave the best epoch's values in its parameters.

    A killed call goes on from the last checkpoint of all processes. Raises `ConfigError` when the
    encoder cannot be read in part, a process has nothing to learn from, or one fails; its message stands in the log.
    """
    if against := [*task.needs_all, *(["regime: full"] if config.regime == "full" else [])]:
        raise ConfigError(f"pretrain.distributed: does not go with {', '.join(against)}")
    size = config.distributed.processes * config.distributed.machines
    _check_shares(task, size)
    parts = Parts(workspace.part("distributed").path)
    job = {"seed": seed, "size": size, "domains": list(task.encoder.domains), "config": to_mapping(config)}
    job["num_nodes"] = len(task.encoder.item_parameters()[0])
    job["types"] = [list(edge_type) for edge_type in task.encoder.knowledge.types]
    if not (parts.folder / JOB).exists() or files.read_json(parts.folder / JOB) != job:
        for rank in range(size):
            _write_part(parts, task, graph, rank, size)
        files.write_json(parts.folder / JOB, job)
    logger.info("pretrain: %d processes share %s", size, parts.folder)
    if config.cold_items and config.cold_dropout:
        logger.warning("pretrain.cold_dropout is for one process: %d processes offer every item as it is", size)
    for machine in range(1, config.distributed.machines):
        logger.info("start on machine %d: %s", machine, shlex.join(_command(config.distributed, parts, machine)))
    if subprocess.run(_command(config.distributed, parts, 0), env=_environment()).returncode:
        raise ConfigError("pretrain.distributed: a process failed; what it said stands above")
    return _collect(task, parts, size)


def own_users(edges: EventEdges, rank: int, size: int) -> EventEdges:
    """Return the events of the users that a process owns, who are numbered anew: u becomes u // size."""
    mine = edges.user % size == rank
    kept = EventEdges(**{name: column[mine] for name, column in vars(edges).items()})
    return replace(kept, user=kept.user // size)


def own_rows(near: Neighbourhood, rank: int, size: int) -> Neighbourhood:
    """Return the neighbours of the nodes that a process owns; nodes keep their numbers."""
    mine = near.touched % size == rank
    count = np.diff(near.indptr)
    kept = np.repeat(mine, count)
    indptr = np.concatenate([[0], np.cumsum(count[mine])])
    return Neighbourhood(near.touched[mine], indptr, near.indices[kept], near.weight[kept])


def own_triples(knowledge: Knowledge, rank: int, size: int) -> Knowledge:
    """Return the triples of the heads that a process owns; nodes and relations keep their numbers."""
    mine = knowledge.source % size == rank
    return replace(knowledge, **{name: getattr(knowledge, name)[mine] for name in TRIPLES})


def _check_shares(task: PretrainTask, size: int) -> None:
    users = [task.histories.user[events] for events in task.events]
    num = np.bincount(np.concatenate(users) % size, minlength=size)
    if num.any() and not num.all():
        raise ConfigError(
            f"pretrain.distributed: {size} processes, of which {int((num == 0).sum())} would have no event to learn "
            "from; take fewer"
        )


def _write_part(parts: Parts, task: PretrainTask, graph: MultiDomainGraph, rank: int, size: int) -> None:
    folder, encoder, domains = parts.part(rank), task.encoder, task.encoder.domains
    replace(
        graph,
        num_users=len(range(rank, graph.num_users, size)),
        catalog={domain: graph.catalog[domain] for domain in domains},
        events={domain: own_users(graph.events[domain], rank, size) for domain in domains},
        knowledge={},
        item_text=np.empty((graph.num_items, 0), dtype=np.float32),
    ).save(folder)
    near = own_rows(encoder.neighbourhood, rank, size)
    tensors = {f"near.{name}": torch.from_numpy(getattr(near, name)) for name in NEAR}
    own = own_triples(encoder.knowledge, rank, size)
    tensors |= {f"triple.{name}": torch.from_numpy(getattr(own, name)) for name in TRIPLES}
    tensors |= {f"log_q.{d}": torch.from_numpy(sampler.log_q) for d, sampler in enumerate(task.samplers)}
    tensors |= {f"offset.{d}": torch.from_numpy(offset) for d, offset in enumerate(task.offsets)}
    for name, parameter in encoder.named_parameters():
        tensors[f"first.{name}"] = parameter.detach()[rank::size] if name in encoder.tables else parameter.detach()
    save_tensors(folder / f"{TASK}.safetensors", tensors)


def _command(options: DistributedConfig, parts: Parts, machine: int) -> list[str]:
    meeting = ["--standalone"]
    if options.machines > 1:
        meeting = [f"--node-rank={machine}", f"--master-addr={options.host}", f"--master-port={options.port}"]
    run = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={options.machines}", *meeting]
    return [*run, f"--nproc-per-node={options.processes}", "-m", "pretrain.worker", str(parts.folder.resolve())]


def _environment() -> dict[str, str]:
    # Processes on one machine share its cores; torchrun would give each a single thread and say so.
    return {"OMP_NUM_THREADS": "1", **os.environ}


@torch.no_grad()
def _collect(task: PretrainTask, parts: Parts, size: int) -> FitResult:
    progress = Progress(**files.read_json(parts.folder / f"{RESULT}.json"))
    parameters = task.parameters()
    for rank in range(size):
        for name, value in load_file(parts.result(rank)).items():
            part = parameters[name][rank::size] if name in task.encoder.tables else parameters[name]
            part.copy_(value)
    return FitResult(best_epoch=progress.best_epoch, best=progress.best, start=progress.start, curve=progress.curve)
