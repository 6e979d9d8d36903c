"""One of several pretraining processes: `torchrun ... -m pretrain.worker FOLDER`, started by `pretrain.distributed`."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from graphrec.core import files
from graphrec.core.config import parse
from graphrec.core.seeds import derive_seed
from graphrec.core.tracking import NullTracker
from graphrec.core.types import FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.encoders.base import Nodes
from graphrec.encoders.domain_views import DomainViews
from graphrec.encoders.part import Part, Rows
from graphrec.graph.graph import EventEdges, MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.graph.knowledge import Knowledge
from graphrec.graph.neighbourhood import Near, Neighbourhood
from graphrec.metrics.measures import ndcg
from graphrec.samplers.negatives import NegativeSampler
from graphrec.training.checkpoint import save_tensors
from graphrec.training.loop import fit
from graphrec.training.world import World
from pretrain.config import PretrainConfig
from pretrain.distributed import JOB, NEAR, RESULT, TASK, TRIPLES, Parts
from pretrain.task import Batch, PretrainTask
from pretrain.validate import CUTOFF, Validation

_ALL = np.iinfo(np.int64).max


class SharedNeighbourhood(Neighbourhood):
    """The knowledge graph of which this process has the lists of its own nodes; others' are asked for."""

    def __init__(self, own: Neighbourhood, world: World) -> None:
        self.own, self.world = own, world

    def near(self, nodes: IntArray, fanout: int, rng: np.random.Generator) -> Near:
        """Return the neighbours of `nodes`, at most `fanout` each, drawn by the processes that have them."""
        order, owner = np.argsort(nodes % self.world.size, kind="stable"), nodes % self.world.size
        counts = np.bincount(owner, minlength=self.world.size).tolist()
        asked, sizes = self.world.exchange(torch.from_numpy(nodes[order]), counts)
        found = self.own.near(asked.numpy(), fanout, rng)
        length = np.diff(found.start, append=len(found.node))
        lengths, _ = self.world.exchange(torch.from_numpy(length), sizes)
        ends = np.concatenate([[0], np.cumsum(length)])[np.cumsum([0, *sizes])]
        flat = np.diff(ends).tolist()
        node, _ = self.world.exchange(torch.from_numpy(found.node), flat)
        weight, _ = self.world.exchange(torch.from_numpy(found.weight), flat)
        return _reordered(order, lengths.numpy(), node.numpy(), weight.numpy())


def _reordered(order: IntArray, length: IntArray, node: IntArray, weight: FloatArray) -> Near:
    """Put lists that came in `order` back to where they were asked for."""
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    begin = (np.cumsum(length) - length)[back]
    size = length[back]
    start = np.cumsum(size) - size
    take = np.arange(int(size.sum())) + np.repeat(begin - start, size)
    return Near(node=node[take], weight=weight[take], start=start)


class SharedViews(DomainViews):
    """`DomainViews` of which this process has its own rows alone."""

    def __init__(self, domains: tuple[str, ...], config: PretrainConfig, num_nodes: int, world: World) -> None:
        none = np.empty(0, dtype=np.int64)
        shell = MultiDomainGraph(
            num_users=1,
            num_items=world.num_own(num_nodes),
            num_entities=0,
            catalog=dict.fromkeys(domains, none),
            events=dict.fromkeys(domains, EventEdges(user=none, item=none, valid=none.astype(np.bool_))),
            knowledge={},
        )
        options = replace(config.encoder, start="random")
        super().__init__(shell, Histories.of(shell, domains, with_valid=False), domains, options, seed=0)
        self.num_nodes, self.read_from = num_nodes, world.read_rows

    def nodes(self) -> Nodes:
        """Return the vectors of all nodes, read from everybody: for validation, never in a step."""
        every = Rows.of(np.arange(self.num_nodes), self.num_nodes, self.neighbourhood, _ALL, np.random.default_rng(0))
        return self.nodes_of(Part(context=every, score=every))


class SharedTask(PretrainTask):
    """The task on the users of this process, with as many steps as the process with the most."""

    world: World

    def batches(self, epoch: int) -> Iterator[Sequence[Batch]]:
        """Yield the batches of `epoch`, once more from the start where others have more."""
        left = self.world.most(self.num_steps)
        while left:
            for step in super().batches(epoch):
                yield step
                left -= 1
                if not left:
                    return

    def validate(self) -> float | None:
        """Return the mean NDCG@10 over domains, of everybody's users."""
        total = torch.zeros(len(self.encoder.domains), 2, dtype=torch.float64)
        for domain, ranks in self.validation.ranks(self.encoder):
            gain = ndcg(ranks, CUTOFF)
            total[self.encoder.domains.index(domain)] = torch.tensor([gain.sum(), len(gain)], dtype=torch.float64)
        gain, count = self.world.sum(total).T
        return float((gain / count)[count > 0].mean()) if bool((count > 0).any()) else None


def work(folder: Path) -> None:
    """Train this process's part of the job in `folder` and write the rows it ends with."""
    parts, job = Parts(folder), files.read_json(folder / JOB)
    with World.join() as world:
        assert world.size == job["size"], "as many processes as parts"
        part = parts.part(world.rank)
        config = parse(PretrainConfig, job["config"], source=str(folder / JOB))
        task = _task(MultiDomainGraph.load(part), load_file(part / f"{TASK}.safetensors"), job, config, world)
        made = fit(
            task,
            config.fit,
            seed=job["seed"],
            workspace=Workspace(folder),
            tracker=NullTracker(),
            label="fit",
            rows=task.encoder.tables,
            world=world,
        )
        save_tensors(parts.result(world.rank), dict(task.parameters()))
        if world.rank == 0:
            progress = {"best_epoch": made.best_epoch, "best": made.best, "start": made.start, "curve": made.curve}
            files.write_json(folder / f"{RESULT}.json", progress)


def _task(
    graph: MultiDomainGraph,
    tensors: dict[str, torch.Tensor],
    job: dict[str, object],
    config: PretrainConfig,
    world: World,
) -> SharedTask:
    domains, seed = tuple(str(d) for d in job["domains"]), int(str(job["seed"]))  # type: ignore[attr-defined]
    encoder = SharedViews(domains, config, int(str(job["num_nodes"])), world)
    near = Neighbourhood(*(tensors[f"near.{name}"].numpy() for name in NEAR))
    encoder.neighbourhood = SharedNeighbourhood(near, world)
    triples = {name: tensors[f"triple.{name}"].numpy() for name in TRIPLES}
    encoder.knowledge = Knowledge(types=tuple(tuple(t) for t in job["types"]), **triples)  # type: ignore[attr-defined]
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            parameter.copy_(tensors[f"first.{name}"])
    histories = Histories.of(graph, domains, with_valid=False)
    limit = -(-config.valid_users // world.size)
    # As many steps as one process takes: each gives its part of a batch.
    batch = replace(config.fit, batch_size=-(-config.fit.batch_size // world.size))
    # Cold items were blanked where the tables were made.
    task = SharedTask(
        encoder,
        graph,
        replace(config, cold_items=False, fit=batch),
        Validation(graph, histories, limit=limit, seed=seed, popularity=config.popularity * config.temperature),
        seed,
    )
    task.world, task.sampled, task.seed = world, True, derive_seed(seed, "process", world.rank)
    # How often an item is drawn is what all users make of it.
    task.samplers = [NegativeSampler(tensors[f"log_q.{d}"].numpy(), config.negative_power) for d in range(len(domains))]
    task.offsets = [tensors[f"offset.{d}"].numpy() for d in range(len(domains))]
    return task


if __name__ == "__main__":
    level = logging.INFO if os.environ.get("RANK") == "0" else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s")
    work(Path(sys.argv[1]))
