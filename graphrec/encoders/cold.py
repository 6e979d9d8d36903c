"""Items without an event: how they begin, so that what describes them can place them.

They begin at zero, as they have nothing to say of themselves and a random vector would drown their knowledge; entities
begin as the mean of their items that somebody met, as from zero they would be long in telling of the others. In
training, `MultiDomainEncoder.blank` offers described items without their own vectors, so that their entities, or their
texts, learn to stand for them (after DropoutNet, Volkovs et al. 2017).
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array

from graphrec.core.types import BoolArray, IntArray
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.graph.histories import Histories
from graphrec.graph.knowledge import Knowledge


@torch.no_grad()
def begin_cold(encoder: MultiDomainEncoder, histories: Histories, catalogs: Sequence[IntArray]) -> None:
    """Let the items of `catalogs` that `histories` do not have begin at zero, and entities as means of the others."""
    cold = torch.from_numpy(np.setdiff1d(np.concatenate(catalogs), histories.item))
    for table in encoder.item_parameters():
        table[cold.to(table.device)] = 0
    begin_entities(encoder, histories, np.ones(encoder.num_nodes - encoder.num_items, dtype=np.bool_))


@torch.no_grad()
def begin_entities(encoder: MultiDomainEncoder, histories: Histories, which: BoolArray) -> None:
    """Let entities, those of `which` [num_entities], begin as the mean of their items in `histories`, zero without."""
    if not encoder.kg_weight:
        return
    met, rows = np.zeros(encoder.num_items, dtype=np.bool_), torch.from_numpy(np.flatnonzero(which))
    met[histories.item] = True
    mean = _means_of(encoder.knowledge, met, encoder.num_nodes)[which]
    for table in encoder.item_parameters():
        first = torch.from_numpy(mean @ table[: encoder.num_items].cpu().numpy()).to(table)
        table[rows.to(table.device) + encoder.num_items] = first


def _means_of(knowledge: Knowledge, met: BoolArray, num_nodes: int) -> csr_array:
    """Return what makes of vectors of items the mean of those that each entity is tied to and somebody met."""
    entity, item = np.concatenate([[knowledge.source, knowledge.target], [knowledge.target, knowledge.source]], axis=1)
    told = (entity >= len(met)) & (item < len(met))
    told[told] = met[item[told]]
    place = (entity[told] - len(met), item[told])
    ties = csr_array((np.tile(knowledge.weight, 2)[told], place), shape=(num_nodes - len(met), len(met)))
    total = ties.sum(axis=1)
    return csr_array(diags_array(np.divide(1, total, out=np.zeros(len(total)), where=total > 0)) @ ties)
