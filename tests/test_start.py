"""Pretraining from an earlier run: old ids keep their vectors, new users, items and domains start as usual."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from graphrec.cli.config import load_config
from graphrec.cli.pipeline import run_stages
from graphrec.cli.table import needed
from graphrec.core import files
from graphrec.core.errors import ArtifactError, ConfigError, DataError
from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import load_dataset
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.pretrained import FULL, TRAIN
from graphrec.encoders.registry import ENCODERS, make_encoder
from graphrec.encoders.unit import unit
from graphrec.graph.graph import Edges, EventEdges
from graphrec.graph.histories import Histories
from pretrain.stage import pretrain, train
from pretrain.start import Start, save_encoder
from tests.test_pretrain import CONFIG, checkerboard

OPTIONS = """
name: {name}
target: t
ingest: {{tables: {{folder: {folder}, interactions: [{{path: events.csv, time: timestamp}}]}}}}
pretrain: {{encoder: {{dim: 8, kg_weight: 0}}, num_negatives: 8, fit: {{epochs: {epochs}, lr: 0.01, batch_size: 64}}}}
"""


def write_events(path, domains, num_users, num_items):
    rows = []
    for domain in domains:
        draw = np.random.default_rng(ord(domain))
        for user in range(num_users):
            for time, item in enumerate(draw.permutation(np.arange(user % 2, num_items, 2))[:6]):
                rows.append((f"u{user:03}", f"{domain}{item:03}", domain, time))
    pl.DataFrame(rows, schema=["user", "item", "domain", "timestamp"], orient="row").write_csv(path)


def outcome(folder, name, domains, num_users, num_items, epochs, *overrides):
    home = folder / name
    home.mkdir(exist_ok=True)
    write_events(home / "events.csv", domains, num_users, num_items)
    (home / "run.yaml").write_text(OPTIONS.format(name=name, folder=home, epochs=epochs))
    config = load_config(home / "run.yaml", list(overrides))
    return run_stages(config, home / "runs", needed("pretrain"), track=False, conclude=False)


def tables(made):
    data = load_dataset(made.artifacts["ingest"].path)
    return data, load_file(made.artifacts["pretrain"].file("encoder.safetensors"))


def test_old_ids_keep_their_vectors_and_new_ones_start_as_usual(tmp_path):
    first = outcome(tmp_path, "first", "at", 40, 16, 3)
    known, old = tables(first)
    begin = f"pretrain.start_from={first.run.path}"
    second = outcome(tmp_path, "second", "abt", 50, 20, 0, begin)
    data, new = tables(second)
    plain = tables(outcome(tmp_path, "plain", "abt", 50, 20, 0))[1]
    for name in ("context", "score"):
        for number, item in enumerate(data.items.table["id"]):
            place = known.items.find(pl.Series([item]), scope_of(data, number))[0]
            source = old[name][place] if place >= 0 else plain[name][number]
            assert torch.equal(new[name][number], source), item
    assert torch.equal(new["gate"][0, 0], old["gate"][0, 0]) and torch.equal(new["gate"][1], plain["gate"][1])
    assert torch.equal(new["log_recency"][0], old["log_recency"][0])
    said = files.read_json(second.artifacts["pretrain"].file("summary.json"))["start"]
    assert said["nodes_known"] == sum(len(known.catalog[d]) for d in "at") and said["domains_known"] == 1
    trained = files.read_json(
        outcome(tmp_path, "third", "abt", 50, 20, 2, begin).artifacts["pretrain"].file("summary.json")
    )
    assert trained["curve"] and trained["start"] == said


def scope_of(data, number):
    return pl.Series([data.items.table["scope"][number]])


def test_another_earlier_run_is_another_fingerprint(tmp_path):
    first = outcome(tmp_path, "first", "at", 40, 16, 1)
    made = outcome(tmp_path, "second", "at", 40, 16, 1, f"pretrain.start_from={first.run.path}")
    same = outcome(tmp_path, "second", "at", 40, 16, 1, f"pretrain.start_from={first.run.path}")
    assert made.artifacts["pretrain"].path == same.artifacts["pretrain"].path
    longer = outcome(tmp_path, "first", "at", 40, 16, 2)
    after = outcome(tmp_path, "second", "at", 40, 16, 1, f"pretrain.start_from={longer.run.path}")
    assert after.artifacts["pretrain"].path != made.artifacts["pretrain"].path


def test_another_dim_or_kind_is_one_clear_error(tmp_path):
    first = outcome(tmp_path, "first", "at", 40, 16, 0)
    start = Start.of(str(first.run.path), tables(first)[0])
    graph = checkerboard()
    histories = Histories.of(graph, ("a",), with_valid=False)
    for options in (EncoderConfig(dim=16), EncoderConfig(dim=8, kind="lightgcn")):
        with pytest.raises(ConfigError, match="kind views and dim .*this run one of kind"):
            start.put_into(make_encoder(graph, histories, ("a",), options, 0), options.kind)


def earlier(folder, kind, graph):
    """Train a little and return the run's vectors, with the start that a later run on the same nodes makes of it."""
    config = replace(CONFIG, encoder=EncoderConfig(dim=16, kind=kind), fit=replace(CONFIG.fit, epochs=3))
    folder.mkdir(exist_ok=True)
    made = pretrain(graph, ("a", "b"), config, seed=0, workspace=Workspace(folder), tracker=NullTracker())
    save_encoder(folder, made.parameters, kind, ("a", "b"))
    tensors = load_file(folder / "encoder.safetensors")
    row = np.arange(graph.num_items + graph.num_entities)
    return made.pretrained, Start(run="earlier", kind=kind, domains=("a", "b"), tensors=tensors, row=row)


def only_encoded(folder, start, graph, **options):
    """Pretrain from `start` for no epoch, with another seed."""
    config = replace(CONFIG, encoder=EncoderConfig(dim=16, kind=start.kind), fit=replace(CONFIG.fit, epochs=0))
    folder.mkdir()
    given = {"seed": 7, "workspace": Workspace(folder), "tracker": NullTracker(), "start": start}
    return graph, ("a", "b"), replace(config, **options), given


@pytest.mark.parametrize("kind", [kind for kind in ENCODERS if kind != "lightgcn"])
def test_without_an_epoch_the_same_data_get_the_same_vectors(tmp_path, kind):
    graph = checkerboard()
    known, start = earlier(tmp_path / "first", kind, graph)
    *given, options = only_encoded(tmp_path / "second", start, graph)
    again = pretrain(*given, **options).pretrained
    for history in (TRAIN, FULL):
        for domain in ("a", "b"):
            assert np.array_equal(again.user_views[history][domain], known.user_views[history][domain])
            assert np.array_equal(again.item[history][domain], known.item[history][domain])
    assert np.array_equal(again.entity, known.entity)


def test_users_of_lightgcn_begin_from_the_items_taken_over(tmp_path):
    graph = checkerboard()
    _, start = earlier(tmp_path / "first", "lightgcn", graph)
    *given, options = only_encoded(tmp_path / "second", start, graph)
    encoder = train(*given, **options).encoder
    assert torch.equal(encoder.vector, start.tensors["vector"])
    histories = Histories.of(graph, ("a", "b"), with_valid=False)
    own = histories.of_domain(0)
    user, item = (torch.from_numpy(ids[own]).long() for ids in (histories.user, histories.item))
    mean = unit(torch.zeros(60, 16).index_add(0, user, encoder.vector.detach()[item]))
    assert (encoder.user[:60] * mean).sum(dim=1).min() > 0.9


@pytest.mark.parametrize("kind", ["kg_attention", "hetero"])
def test_relations_are_known_by_name_wherever_they_stand(tmp_path, kind):
    graph = checkerboard()
    _, start = earlier(tmp_path / "first", kind, graph)
    edge = Edges(source=np.array([0]), target=np.array([2]), weight=np.ones(1, dtype=np.float32))
    first = {("entity", "near", "entity"): edge}
    *given, options = only_encoded(tmp_path / "second", start, replace(graph, knowledge={**first, **graph.knowledge}))
    others = train(*given, **options).encoder.others()
    old = {name: tensor for name, tensor in start.tensors.items() if "item parity entity" in name}
    assert len(old) == (2 if kind == "kg_attention" else 4)
    fresh = torch.ones(16) if kind == "kg_attention" else torch.eye(16)
    assert sum(not torch.equal(tensor, fresh) for tensor in old.values()) >= 2, "what was learned differs from a start"
    for name, tensor in old.items():
        assert torch.equal(others[name], tensor)
        assert torch.equal(others[name.replace("item parity entity", "entity near entity")], fresh)


def test_cold_items_keep_what_the_earlier_run_knew_of_them(tmp_path):
    graph = checkerboard()
    _, start = earlier(tmp_path / "first", "views", graph)
    events = graph.events["a"]
    met = events.item > 1
    graph.events["a"] = EventEdges(**{name: column[met] for name, column in vars(events).items()})
    known = replace(start, row=np.where(np.arange(43) == 1, -1, start.row))
    *given, options = only_encoded(tmp_path / "second", known, graph, cold_items=True)
    made = train(*given, **options)
    assert torch.equal(made.encoder.context[0], start.tensors["context"][0]) and made.encoder.context[0].any()
    assert not made.encoder.context[1].any() and made.summary["start"]["nodes_known"] == 42


def test_data_without_a_known_item_is_refused(tmp_path):
    first = outcome(tmp_path, "first", "at", 40, 16, 0)
    data = tables(first)[0]
    renamed = data.items.table.with_columns(pl.format("x{}", "id").alias("id"))
    with pytest.raises(DataError, match="knows no item of this data set"):
        Start.of(str(first.run.path), replace(data, items=replace(data.items, table=renamed)))
    with pytest.raises(ArtifactError):
        Start.of(str(tmp_path / "nowhere"), data)
