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
from graphrec.data.dataset import load_dataset
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.registry import make_encoder
from graphrec.graph.histories import Histories
from pretrain.start import Start
from tests.test_pretrain import checkerboard

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


def test_data_without_a_known_item_is_refused(tmp_path):
    first = outcome(tmp_path, "first", "at", 40, 16, 0)
    data = tables(first)[0]
    renamed = data.items.table.with_columns(pl.format("x{}", "id").alias("id"))
    with pytest.raises(DataError, match="knows no item of this data set"):
        Start.of(str(first.run.path), replace(data, items=replace(data.items, table=renamed)))
    with pytest.raises(ArtifactError):
        Start.of(str(tmp_path / "nowhere"), data)
