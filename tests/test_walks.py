"""Both walk engines: hand graphs, edges respected, transition frequencies, threads, a missing dgl."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from graphrec.core.errors import ConfigError, MissingExtraError
from graphrec.samplers.walks import DEFAULT_ENGINE, ENDED, ENGINES, random_walks

HAS_DGL = importlib.util.find_spec("dgl") is not None
no_dgl = pytest.mark.skipif(not HAS_DGL, reason="dgl has no wheel for this Python")
engines = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=no_dgl) if name == "dgl" else name for name in ENGINES]
)


def graph(edges: list[tuple[int, int, float]], size: int) -> csr_array:
    src, dst, weight = zip(*edges, strict=True)
    return csr_array((np.array(weight), (np.array(src), np.array(dst))), shape=(size, size))


def random_graph(size: int, edges: int) -> csr_array:
    rng = np.random.default_rng(3)
    pairs = np.unique(rng.integers(0, size, (edges, 2)), axis=0)
    return csr_array((rng.random(len(pairs)) + 0.1, (pairs[:, 0], pairs[:, 1])), shape=(size, size))


@engines
def test_a_ring_has_one_walk(engine):
    ring = graph([(0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0)], 3)
    walks = random_walks(ring, np.array([0, 2]), 4, seed=1, engine=engine)
    assert walks.tolist() == [[0, 1, 2, 0, 1], [2, 0, 1, 2, 0]] and walks.dtype == np.int64


@engines
def test_a_walk_ends_where_no_edge_leaves(engine):
    chain = graph([(0, 1, 1.0), (1, 2, 1.0)], 4)
    walks = random_walks(chain, np.array([0, 1, 3]), 3, seed=1, engine=engine)
    assert walks.tolist() == [[0, 1, 2, ENDED], [1, 2, ENDED, ENDED], [3, ENDED, ENDED, ENDED]]


@engines
def test_no_starts_and_no_steps(engine):
    ring = graph([(0, 1, 1.0), (1, 0, 1.0)], 2)
    assert random_walks(ring, np.empty(0, dtype=np.int64), 3, seed=1, engine=engine).shape == (0, 4)
    assert random_walks(ring, np.array([1]), 0, seed=1, engine=engine).tolist() == [[1]]


@engines
@pytest.mark.parametrize("weighted", [False, True])
def test_every_step_is_an_edge(engine, weighted):
    adjacency = random_graph(200, 3000)
    walks = random_walks(adjacency, np.arange(200), 12, seed=5, weighted=weighted, engine=engine)
    here, there = walks[:, :-1].ravel(), walks[:, 1:].ravel()
    dense = adjacency.toarray() > 0
    assert dense[here[there >= 0], there[there >= 0]].all()
    assert not np.any(dense[here[(there < 0) & (here >= 0)]]), "a walk ends only where no edge leaves"


@engines
@pytest.mark.parametrize(("weighted", "expected"), [(False, [1 / 3] * 3), (True, [0.1, 0.2, 0.7])])
def test_transition_frequencies(engine, weighted, expected):
    star = graph([(0, 1, 1.0), (0, 2, 2.0), (0, 3, 7.0), (1, 0, 1.0), (2, 0, 1.0), (3, 0, 1.0)], 4)
    walks = random_walks(star, np.zeros(20_000, dtype=np.int64), 5, seed=2, weighted=weighted, engine=engine)
    for column in (1, 3, 5):
        share = np.bincount(walks[:, column], minlength=4)[1:] / len(walks)
        assert share == pytest.approx(expected, abs=0.015)
    # Successive choices of one walk are independent: the joint share is the product.
    both = np.mean((walks[:, 1] == 3) & (walks[:, 3] == 3))
    assert both == pytest.approx(expected[2] ** 2, abs=0.015)


@engines
def test_restart_ends_a_constant_share_before_each_step(engine):
    ring = graph([(0, 1, 1.0), (1, 0, 1.0)], 2)
    walks = random_walks(ring, np.zeros(20_000, dtype=np.int64), 4, restart=0.25, seed=3, engine=engine)
    assert (walks >= 0).mean(axis=0) == pytest.approx(0.75 ** np.arange(5), abs=0.015)
    assert np.all(np.diff((walks >= 0).astype(int), axis=1) <= 0), "an ended walk stays ended"


@no_dgl
@pytest.mark.parametrize("weighted", [False, True])
def test_the_engines_visit_alike(weighted):
    adjacency, starts = random_graph(30, 200), np.tile(np.arange(30), 2000)
    shares = [
        np.bincount(random_walks(adjacency, starts, 4, seed=7, weighted=weighted, engine=e)[:, 4] + 1, minlength=31)
        / len(starts)
        for e in ENGINES
    ]
    assert shares[0] == pytest.approx(shares[1], abs=0.01)


def test_threads_and_company_do_not_change_a_walk():
    adjacency, starts = random_graph(500, 5000), np.arange(70_000) % 500
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = random_walks(adjacency, starts, 6, restart=0.1, seed=9)
        torch.set_num_threads(2)
        assert np.array_equal(alone, random_walks(adjacency, starts, 6, restart=0.1, seed=9))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(alone[:100], random_walks(adjacency, starts[:100], 6, restart=0.1, seed=9))
    assert not np.array_equal(alone, random_walks(adjacency, starts, 6, restart=0.1, seed=10))


def test_an_unknown_engine_lists_the_known_ones():
    with pytest.raises(ConfigError, match="'cuda': not one of auto, numba, dgl"):
        random_walks(graph([(0, 0, 1.0)], 1), np.array([0]), 1, seed=1, engine="cuda")


def test_a_missing_dgl_is_named_only_when_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "dgl", None)
    monkeypatch.delitem(sys.modules, "graphrec.samplers._dgl", raising=False)
    loop = graph([(0, 0, 1.0)], 1)
    assert random_walks(loop, np.array([0]), 1, seed=1).tolist() == [[0, 0]]
    with pytest.raises(MissingExtraError, match="walk engine 'dgl' needs a package"):
        random_walks(loop, np.array([0]), 1, seed=1, engine="dgl")


def test_the_default_engine_imports_no_dgl():
    code = (
        "import sys; sys.modules['dgl'] = None\n"
        "import numpy as np, scipy.sparse as sp\n"
        "from graphrec.samplers.walks import random_walks\n"
        "assert random_walks(sp.csr_array([[1.0]]), np.array([0]), 2, seed=1).tolist() == [[0, 0, 0]]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert DEFAULT_ENGINE != "dgl"
