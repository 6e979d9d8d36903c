"""Neighbour sampling: hand graphs, without replacement, frequencies, threads, and dgl's distribution."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from graphrec.samplers.neighbours import NeighbourSampler, sample_neighbours

HAS_DGL = importlib.util.find_spec("dgl") is not None


def star(weights):
    """Node 0 has the neighbours 1, 2, ... with these weights; they have none."""
    size = len(weights) + 1
    return csr_array((np.array(weights, dtype=np.float64), (np.zeros(size - 1, int), np.arange(1, size))), (size, size))


def random_graph(size, edges):
    rng = np.random.default_rng(3)
    pairs = np.unique(rng.integers(0, size, (edges, 2)), axis=0)
    return csr_array((rng.random(len(pairs)) + 0.1, (pairs[:, 0], pairs[:, 1])), shape=(size, size))


def draws(graph, fanout, times, weighted=False):
    """The neighbours that node 0 draws, `[times, fanout]`."""
    sampler = NeighbourSampler(graph, (fanout,), weighted)
    blocks = [sampler.sample(np.array([0]), seed=s) for s in range(times)]
    return np.array([np.sort(b.nodes[b.layers[0].source]) for b in blocks])


def test_a_chain_is_taken_whole_and_relabelled():
    chain = csr_array((np.ones(4), ([3, 1, 1, 4], [1, 4, 0, 2])), shape=(5, 5))
    blocks = sample_neighbours(chain, np.array([3]), (2, 2), seed=1)
    assert blocks.nodes.tolist() == [3, 1, 0, 4]
    far, near = blocks.layers
    assert (near.num_target, near.num_source, near.source.tolist(), near.target.tolist()) == (1, 2, [1], [0])
    # The seed is a target of the far layer too, as a network needs its own vector there.
    assert (far.num_target, far.num_source, far.start.tolist(), far.source.tolist()) == (2, 4, [0, 1, 3], [1, 2, 3])
    assert chain.indices[far.entry].tolist() == blocks.nodes[far.source].tolist()


def test_no_seeds_and_no_neighbours():
    nothing = sample_neighbours(star([1.0]), np.empty(0, dtype=np.int64), (3, 2), seed=1)
    assert len(nothing.nodes) == 0 and [len(layer.source) for layer in nothing.layers] == [0, 0]
    alone = sample_neighbours(star([1.0]), np.array([1]), (3,), seed=1)
    assert alone.nodes.tolist() == [1] and alone.layers[0].start.tolist() == [0, 0]


@pytest.mark.parametrize("weighted", [False, True])
def test_every_edge_is_one_of_the_graph_and_none_comes_twice(weighted):
    graph = random_graph(300, 6000)
    blocks = sample_neighbours(graph, np.arange(50), (7, 4), seed=5, weighted=weighted)
    assert blocks.nodes[:50].tolist() == list(range(50)) and len(np.unique(blocks.nodes)) == len(blocks.nodes)
    for layer, fanout in zip(blocks.layers, (7, 4), strict=True):
        row = np.searchsorted(graph.indptr, layer.entry, side="right") - 1
        assert np.array_equal(row, blocks.nodes[layer.target])
        assert np.array_equal(graph.indices[layer.entry], blocks.nodes[layer.source])
        assert len(np.unique(layer.entry)) == len(layer.entry)
        degree = np.diff(graph.indptr)[blocks.nodes[: layer.num_target]]
        assert np.array_equal(np.diff(layer.start), np.minimum(degree, fanout))
        assert layer.source.max() < layer.num_source


def test_every_subset_is_equally_likely():
    pairs, count = np.unique(draws(star([1.0] * 5), 2, 20_000), axis=0, return_counts=True)
    assert len(pairs) == 10
    # Chi-square with 9 degrees of freedom is above 27.9 once in a thousand.
    assert ((count - 2000) ** 2 / 2000).sum() < 27.9


def test_weights_draw_one_after_the_other():
    weight = np.array([1.0, 2.0, 3.0, 4.0, 0.0])
    share = weight / weight.sum()
    found = draws(star(weight), 2, 20_000, weighted=True)
    for i in range(4):
        for j in range(i + 1, 4):
            expected = share[i] * share[j] * (1 / (1 - share[i]) + 1 / (1 - share[j]))
            assert np.mean((found == [i + 1, j + 1]).all(axis=1)) == pytest.approx(expected, abs=0.012)
    assert not (found == 5).any()


def test_one_overwhelming_weight_does_not_hang():
    found = draws(star([1e12, 1.0, 3.0, 0.0]), 2, 8000, weighted=True)
    assert (found[:, 0] == 1).all()
    assert np.mean(found[:, 1] == 3) == pytest.approx(0.75, abs=0.02)
    assert sample_neighbours(star([0.0, 0.0]), np.array([0]), (1,), seed=1, weighted=True).nodes.tolist() == [0]


def test_threads_and_company_do_not_change_a_draw():
    graph = random_graph(500, 20_000)
    sampler = NeighbourSampler(graph, (5, 3))
    batches = np.arange(500).reshape(10, 50)
    one = [sampler.sample(batch, seed=9) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        other = list(pool.map(lambda batch: sampler.sample(batch, seed=9), batches))
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.nodes, b.nodes) and np.array_equal(a.layers[0].entry, b.layers[0].entry)
    together = sampler.sample(np.arange(500), seed=9).layers[1]
    assert np.array_equal(together.entry, np.concatenate([blocks.layers[1].entry for blocks in one]))
    assert not np.array_equal(together.entry, sampler.sample(np.arange(500), seed=10).layers[1].entry)


def test_bad_arguments_are_refused_and_leave_the_sampler_usable():
    sampler = NeighbourSampler(star([1.0, 1.0]), (2,))
    with pytest.raises(AssertionError, match="distinct"):
        sampler.sample(np.array([0, 0]), seed=1)
    assert sampler.sample(np.array([0]), seed=1).nodes.tolist() == [0, 1, 2]
    with pytest.raises(AssertionError, match="seeds must be nodes"):
        sampler.sample(np.array([3]), seed=1)
    with pytest.raises(AssertionError, match="negative"):
        NeighbourSampler(star([-1.0]), (2,), weighted=True)


@pytest.mark.skipif(not HAS_DGL, reason="dgl has no wheel for this Python")
@pytest.mark.parametrize("weighted", [False, True])
def test_dgl_draws_alike(weighted):
    from graphrec.samplers._dgl import dgl

    graph = star([1.0, 2.0, 4.0, 1.0, 2.0, 6.0])
    twin = dgl.graph((torch.arange(1, 7), torch.zeros(6, dtype=torch.int64)), num_nodes=7)
    twin.edata["weight"] = torch.from_numpy(graph.data)
    dgl.seed(1)
    prob = "weight" if weighted else None
    theirs = [dgl.sampling.sample_neighbors(twin, [0], 3, prob=prob).edges()[0].numpy() for _ in range(4000)]
    ours = draws(graph, 3, 4000, weighted)
    codes = [np.sort(np.array(d), axis=1) @ [100, 10, 1] for d in (theirs, ours)]
    shares = [np.array([np.mean(c == key) for key in np.unique(np.concatenate(codes))]) for c in codes]
    assert shares[0] == pytest.approx(shares[1], abs=0.035)
