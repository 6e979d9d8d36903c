"""LightGCN (He et al. 2020) by torch-geometric: an anchor that a pretraining has to beat.

Vectors are averaged over layers of a propagation without weights, learnt by BPR with one negative per event, drawn
evenly. Settings are those of the anchors quoted for cdr_pairs, not of the paper: 2 layers of 64, Adam at 5e-3, L2 1e-2,
at most 40 epochs. One event of each user with two or more is left out to choose the epoch by NDCG@10; then, which those
anchors did not, all events are trained on for as many epochs. The chosen epoch is logged: at the limit it is too few.
"""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import csr_array
from torch_geometric.nn import LightGCN

from benchmarks.merged import ones
from graphrec.core.progress import logger
from graphrec.core.seeds import derive_seed, generator
from graphrec.core.types import FloatArray
from graphrec.metrics.measures import ndcg
from graphrec.metrics.ranking import rank
from graphrec.metrics.scorers import VectorScorer

DIM, LAYERS, LR, L2, BATCH, EPOCHS, EVERY = 64, 2, 5e-3, 1e-2, 2048, 40, 2


def lightgcn(history: csr_array, seed: int) -> VectorScorer:
    """Fit it to `history` [num_users, num_items]."""
    user, item = (part.astype(np.int64) for part in history.nonzero())
    rng = generator(seed, "lightgcn")
    order = rng.permutation(len(user))
    _, first = np.unique(user[order], return_index=True)
    left_out = np.zeros(len(user), dtype=np.bool_)
    left_out[order[first]] = np.bincount(user)[user[order[first]]] > 1
    train = ones(user[~left_out], item[~left_out], history.shape)
    reached: dict[int, float] = {}
    for epoch, (users, items) in enumerate(_trained(train, EPOCHS, seed), start=1):
        if epoch % EVERY == 0:
            ranks = rank(VectorScorer(users, items), user[left_out], item[left_out], train).ranks
            reached[epoch] = float(ndcg(ranks, 10).mean())
    best = max(reached, key=lambda epoch: reached[epoch])
    logger.info("LightGCN: epoch %d of %d, NDCG@10 %.4f on what was left out", best, EPOCHS, reached[best])
    for users, items in _trained(history, best, seed):
        last = VectorScorer(users, items)
    return last


def _trained(history: csr_array, epochs: int, seed: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    # The vectors after each epoch.
    torch.manual_seed(derive_seed(seed, "lightgcn", "train"))
    num_users, num_items = history.shape
    user, item = (torch.from_numpy(part.astype(np.int64)) for part in history.nonzero())
    forth = torch.stack([user, item + num_users])
    edges = torch.cat([forth, forth.flip(0)], dim=1)
    model = LightGCN(num_users + num_items, DIM, LAYERS)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    for _ in range(epochs):
        for rows in torch.randperm(len(user)).split(BATCH):
            vectors = model.get_embedding(edges)
            negative = torch.randint(num_items, (len(rows),)) + num_users
            asked, taken = vectors[user[rows]], vectors[item[rows] + num_users]
            above, below = (asked * taken).sum(-1), (asked * vectors[negative]).sum(-1)
            nodes = torch.cat([user[rows], item[rows] + num_users, negative])
            loss = model.recommendation_loss(above, below, node_id=nodes, lambda_reg=L2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            vectors = model.get_embedding(edges).numpy()
        yield vectors[:num_users], vectors[num_users:]
