"""In place of pretraining: take over the views of a finished run, for a domain that arrived later.

Users and entities are matched by external id; who or what the finished run did not know gets zeros.
"""

from pathlib import Path

import numpy as np
import polars as pl

from graphrec.core.artifacts import RunFolder
from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.stage import StageContext
from graphrec.core.types import FloatArray, IntArray
from graphrec.data.dataset import Dataset, load_dataset
from graphrec.encoders.pretrained import Pretrained
from pretrain.config import InheritConfig


def run(context: StageContext, config: InheritConfig) -> None:
    """Write the finished run's pretrained vectors under the new data set's ids."""
    base = RunFolder.open(Path(config.run or ""))
    known = load_dataset(base.current("ingest").path)
    new = load_dataset(context.inputs["ingest"].path)
    pretrained = Pretrained.load(base.current("pretrain").path)
    realign(pretrained, known, new).save(context.out)
    context.finish(
        {
            "domains": pretrained.domains,
            "dim": pretrained.dim,
            "curve": [],
            "inherited": {
                "run": base.entry("name"),
                "users_known": int((known_rows(known.users, new.users) >= 0).sum()),
                "entities_known": int((known_rows(known.entities, new.entities) >= 0).sum()),
            },
        }
    )


def realign(pretrained: Pretrained, known: Dataset, new: Dataset) -> Pretrained:
    """Return `pretrained` with its rows in the order of `new`'s users and entities, zeros for the unknown.

    Raises `DataError` when not one user of `new` is known: nothing would transfer.
    """
    users, entities = known_rows(known.users, new.users), known_rows(known.entities, new.entities)
    if not (users >= 0).any():
        raise DataError(
            "the new domain shares no user with the finished run, so no view helps it; are ids written the same "
            f"way? (there: {_samples(known.users)}; here: {_samples(new.users)})"
        )
    views = {
        history: {domain: _gather(array, users) for domain, array in by_domain.items()}
        for history, by_domain in pretrained.user_views.items()
    }
    return Pretrained(
        domains=pretrained.domains,
        dim=pretrained.dim,
        user_views=views,
        item=pretrained.item,
        entity=_gather(pretrained.entity, entities),
    )


def known_rows(known: IdMap, new: IdMap) -> IntArray:
    """Rows of `known` for each key of `new`, -1 where unknown; ids match as text, 17 and "17" being one."""
    left = new.table.with_columns(pl.col("id").cast(pl.String))
    right = known.table.with_columns(pl.col("id").cast(pl.String)).with_row_index("row")
    joined = left.join(right, on=["scope", "id"], how="left", maintain_order="left")
    return joined["row"].cast(pl.Int64).fill_null(-1).to_numpy().astype(np.int64)


def _gather(array: FloatArray, rows: IntArray) -> FloatArray:
    taken = array[np.maximum(rows, 0)] if len(array) else np.zeros((len(rows), array.shape[1]), dtype=np.float32)
    return np.where(rows[:, None] >= 0, taken, np.float32(0)).astype(np.float32)


def _samples(ids: IdMap) -> str:
    return ", ".join(map(repr, ids.table["id"].head(3)))
