"""Pretraining by two processes on one machine: the same quality, a killed run that goes on."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphrec.cli.config import load_config
from graphrec.cli.examples import example_folder
from graphrec.core import files
from graphrec.core.errors import ConfigError
from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.pretrained import FULL, TRAIN
from graphrec.encoders.unit import unit
from graphrec.graph.graph import Edges
from graphrec.graph.knowledge import Knowledge
from graphrec.graph.neighbourhood import Neighbourhood
from graphrec.training.config import FitConfig
from pretrain.config import DistributedConfig, PretrainConfig
from pretrain.distributed import own_rows, own_triples, own_users
from pretrain.objectives.config import AuxiliaryConfig, ObjectivesConfig
from pretrain.stage import pretrain
from tests.test_pretrain import checkerboard, parity_gap

CONFIG = PretrainConfig(
    encoder=EncoderConfig(dim=16),
    fit=FitConfig(epochs=6, lr=0.02, batch_size=64, patience=6, clip=5.0),
    num_negatives=32,
    negative_power=1.0,
    distributed=DistributedConfig(processes=2),
)


LINKS = ObjectivesConfig(kg_link=1.0)
LONG = replace(CONFIG, fit=replace(CONFIG.fit, epochs=8, patience=8))


def run(folder, config=CONFIG, graph=None):
    folder.mkdir(exist_ok=True)
    graph = checkerboard() if graph is None else graph
    return pretrain(graph, ("a", "b"), config, seed=0, workspace=Workspace(folder), tracker=NullTracker())


def test_two_processes_learn_what_one_does(tmp_path):
    config = replace(CONFIG, popularity=2.0)
    one = run(tmp_path / "one", replace(config, regime="sampled", distributed=DistributedConfig()))
    two = run(tmp_path / "two", config)
    gaps = []
    for made in (one, two):
        views, item = made.pretrained.user_views, made.pretrained.item
        gaps.append(np.mean([parity_gap(views[h][d], item[h][d]) for h in (TRAIN, FULL) for d in ("a", "b")]))
    assert gaps[1] > 0.3 and gaps[1] == pytest.approx(gaps[0], abs=0.15)
    assert two.summary["best_epoch"] > 0 and len(two.summary["curve"]) == 6
    # What the processes validated together, popularity counted in, is what the whole encoder has here.
    best = max(row["valid"] for row in two.summary["curve"])
    assert np.mean([r.value for r in two.records if r.metric == "ndcg"]) == pytest.approx(best, abs=1e-5)


def test_a_killed_run_of_two_goes_on_to_the_same_bytes(tmp_path):
    whole = run(tmp_path / "whole", LONG).pretrained
    script = tmp_path / "run.py"
    script.write_text(
        "from pathlib import Path\nfrom tests.test_distributed import LONG, run\n"
        f"if __name__ == '__main__':\n    run(Path({str(tmp_path / 'killed')!r}), LONG)\n"
    )
    root = Path(__file__).parents[1]
    started = subprocess.Popen(
        [sys.executable, script], cwd=root, env={"PYTHONPATH": str(root)}, start_new_session=True
    )
    index = tmp_path / "killed" / "distributed" / "fit.json"
    for _ in range(600):
        if index.exists() and files.read_json(index)["progress"]["epoch"] >= 2:
            break
        time.sleep(0.1)
    subprocess.run(["pkill", "-KILL", "-s", str(started.pid)], check=False)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert 2 <= files.read_json(index)["progress"]["epoch"] < 8, "killed on the way"
    resumed = run(tmp_path / "killed", LONG).pretrained
    assert np.array_equal(whole.item[FULL]["a"], resumed.item[FULL]["a"])
    assert np.array_equal(whole.user_views[FULL]["b"], resumed.user_views[FULL]["b"])


def test_parts_hold_everything_once():
    events = checkerboard().events["a"]
    parts = [own_users(events, rank, 3) for rank in range(3)]
    pairs = [
        (int(u) * 3 + rank, int(i))
        for rank, part in enumerate(parts)
        for u, i in zip(part.user, part.item, strict=True)
    ]
    assert sorted(pairs) == sorted(zip(events.user.tolist(), events.item.tolist(), strict=True))
    near = Neighbourhood(np.array([1, 4, 6]), np.array([0, 2, 3, 5]), np.array([4, 6, 1, 1, 4]), np.ones(5, np.float32))
    lists = {}
    for rank in range(2):
        part = own_rows(near, rank, 2)
        for place, node in enumerate(part.touched):
            lists[int(node)] = part.indices[part.indptr[place] : part.indptr[place + 1]].tolist()
    assert lists == {1: [4, 6], 4: [1], 6: [1, 4]}


def with_triples(graph):
    item, entity = np.arange(graph.num_items), np.arange(graph.num_items) % 3
    edges = Edges(source=item, target=entity, weight=np.ones(graph.num_items, dtype=np.float32))
    return replace(graph, num_entities=3, knowledge={("item", "has", "entity"): edges})


def test_links_are_learnt_from_the_triples_of_all_parts(tmp_path):
    graph = with_triples(checkerboard())
    known = Knowledge.of(graph, ("a", "b"))
    parts = [own_triples(known, rank, 2) for rank in range(2)]
    assert sorted(np.concatenate([part.source for part in parts])) == sorted(known.source)
    assert all(set(part.target) == {40, 41, 42} for part in parts), "each has triples of every entity"
    config = replace(CONFIG, fit=replace(CONFIG.fit, epochs=20, patience=20), objectives=LINKS, num_negatives=1)
    config = replace(config, auxiliary=AuxiliaryConfig(links=64), encoder=replace(CONFIG.encoder, kg_weight=0.0))
    # Without validation the last epoch counts, whatever becomes of the ranking.
    events = {d: replace(e, valid=np.zeros_like(e.valid)) for d, e in graph.events.items()}
    tables = run(tmp_path / "w", config, replace(graph, events=events)).parameters
    item, entity = unit(tables["context"][:40]), unit(tables["score"][40:])
    nearest = (item @ entity.T).argmax(dim=1).numpy()
    # The items of either process find the entity that is theirs, which no part of the loss but a link can tell.
    for rank in range(2):
        assert (nearest == np.arange(40) % 3)[rank::2].mean() > 0.9


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"encoder": EncoderConfig(dim=16, kind="hetero")}, "does not go with encoder hetero"),
        ({"regime": "full"}, "does not go with regime: full"),
        ({"distributed": DistributedConfig(processes=1000)}, "would have no event to learn from; take fewer"),
    ],
)
def test_what_cannot_be_divided_is_refused(tmp_path, change, says):
    with pytest.raises(ConfigError, match=f"pretrain.distributed: .*{says}"):
        run(tmp_path / "w", replace(CONFIG, **change))


def test_the_shipped_example_trains_in_two_processes(tmp_path):
    shipped = load_config(example_folder() / "distributed.yaml", ["pretrain.fit.epochs=1", "pretrain.encoder.dim=8"])
    assert shipped.pretrain.distributed.processes == 2
    assert len(run(tmp_path / "w", shipped.pretrain).summary["curve"]) == 1
