"""Pretrain: fit the multi-domain encoder on the source domains and write its vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from graphrec.core.progress import logger
from graphrec.core.records import Record
from graphrec.core.stage import StageContext
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import load_dataset
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.cold import begin_entities
from graphrec.encoders.pretrained import FULL, TRAIN, Pretrained
from graphrec.encoders.registry import make_encoder
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.training.loop import fit
from pretrain.config import PretrainConfig
from pretrain.distributed import fit_distributed
from pretrain.regime import Regime, choose_regime, full_bytes
from pretrain.start import Start, parameters_to_keep, save_encoder
from pretrain.task import PretrainTask
from pretrain.validate import CUTOFF, Validation, encode_items, encode_views


@dataclass(frozen=True)
class Outcome:
    """What pretraining gives: vectors, the report's summary, validation scores."""

    pretrained: Pretrained
    summary: JSON
    records: list[Record]
    parameters: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """The encoder at its best epoch, what it was validated on, the report's summary."""

    encoder: MultiDomainEncoder
    validation: Validation
    summary: JSON


def run(context: StageContext, config: PretrainConfig) -> None:
    """Write the vectors of the run's source domains, and the encoder's parameters for a run that starts from them."""
    graph = MultiDomainGraph.load(context.inputs["merge"].path)
    start = Start.of(config.start_from, load_dataset(context.inputs["ingest"].path)) if config.start_from else None
    outcome = pretrain(
        graph,
        context.sources,
        config,
        seed=context.seed,
        workspace=context.workspace,
        tracker=context.tracker,
        start=start,
    )
    outcome.pretrained.save(context.out)
    save_encoder(context.out, outcome.parameters, config.encoder.kind, outcome.pretrained.domains)
    context.finish(outcome.summary, outcome.records)


def pretrain(
    graph: MultiDomainGraph,
    domains: Sequence[str],
    config: PretrainConfig,
    *,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
    start: Start | None = None,
) -> Outcome:
    """Train, and encode all users, items and entities; with no domains there is nothing to learn, vectors are empty."""
    if not domains:
        logger.info("pretrain: no source domains, nothing to learn")
        return Outcome(_empty(graph, config), _summary((), config, [], 0), [])
    trained = train(graph, domains, config, seed=seed, workspace=workspace, tracker=tracker, start=start)
    records = _records(trained.validation, trained.encoder, seed)
    return Outcome(_pretrained(trained.encoder, graph), trained.summary, records, parameters_to_keep(trained.encoder))


def train(
    graph: MultiDomainGraph,
    domains: Sequence[str],
    config: PretrainConfig,
    *,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
    start: Start | None = None,
) -> Trained:
    """Train on the train events of `domains`, keep the epoch with the best mean validation NDCG@10.

    Events of other domains are not looked at. The first vectors are those of `start` where it has some.
    A killed call goes on from the checkpoint in `workspace`.
    """
    domains = tuple(domains)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    histories = Histories.of(graph, domains, with_valid=False)
    encoder = make_encoder(graph, histories, domains, config.encoder, seed).to(device)
    popularity = config.popularity * config.temperature
    validation = Validation(graph, histories, limit=config.valid_users, seed=seed, popularity=popularity)
    task = PretrainTask(encoder, graph, config, validation, seed)
    # After the task, which blanks cold items: what the earlier run knew of them stays.
    started = {"start": start.put_into(encoder, config.encoder.kind)} if start else {}
    if start and config.cold_items:
        begin_entities(encoder, histories, start.row[graph.num_items :] < 0)
    if not config.distributed.alone:
        regime = Regime(name="sampled", why="several processes", full_bytes=full_bytes(encoder))
        result = fit_distributed(task, graph, config, seed=seed, workspace=workspace)
    else:
        regime = choose_regime(config.regime, encoder, task.needs_all, workspace)
        task.sampled, rows = regime.sampled, encoder.tables if regime.sampled else ()
        result = fit(task, config.fit, seed=seed, workspace=workspace, tracker=tracker, label="pretrain", rows=rows)
    summary = {**_summary(domains, config, result.curve, result.best_epoch), "regime": regime.summary(), **started}
    return Trained(encoder, validation, summary)


@torch.no_grad()
def _pretrained(encoder: MultiDomainEncoder, graph: MultiDomainGraph) -> Pretrained:
    views, item = {}, {}
    # The train events come last, so that the encoder is left looking at them.
    for history in (FULL, TRAIN):
        histories = Histories.of(graph, encoder.domains, with_valid=history == FULL)
        encoder.look_at(histories)
        nodes = encoder.nodes()
        views[history] = encode_views(encoder, nodes, histories)
        item[history] = {domain: encode_items(encoder, nodes, graph.catalog[domain]) for domain in encoder.domains}
    entities = np.arange(graph.num_items, graph.num_items + graph.num_entities)
    return Pretrained(
        domains=encoder.domains,
        dim=encoder.dim,
        user_views=views,
        item=item,
        entity=encode_items(encoder, nodes, entities),
    )


def _empty(graph: MultiDomainGraph, config: PretrainConfig) -> Pretrained:
    dim = config.encoder.dim
    nothing = {history: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]() for history in (TRAIN, FULL)}
    entity = np.zeros((graph.num_entities, dim), dtype=np.float32)
    return Pretrained(domains=(), dim=dim, user_views=nothing, item=nothing, entity=entity)


def _summary(domains: tuple[str, ...], config: PretrainConfig, curve: list[JSON], best_epoch: int) -> JSON:
    return {"domains": list(domains), "dim": config.encoder.dim, "curve": curve, "best_epoch": best_epoch}


def _records(validation: Validation, encoder: MultiDomainEncoder, seed: int) -> list[Record]:
    return [
        Record(
            stage="pretrain",
            domain=domain,
            split="valid",
            group="all",
            model="pretrain",
            metric=metric,
            k=CUTOFF,
            seed=seed,
            value=value,
        )
        for domain, scores in validation.scores(encoder).items()
        for metric, value in scores.items()
    ]
