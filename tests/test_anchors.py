"""The evaluator and the closed-form baselines against numbers measured elsewhere, on real data.

Leave-last-out on amazon5, full ranking: HR@10 and NDCG@10 to 0.0005. They depend on every
convention at once: which events are kept and held out, what is masked, how ties are counted.
"""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graphrec.baselines.config import BaselinesConfig
from graphrec.baselines.registry import make_baseline
from graphrec.data.clean import EVENTS, clean
from graphrec.data.config import CleanConfig, SplitConfig
from graphrec.data.dataset import DomainSplit
from graphrec.data.history import known_history
from graphrec.data.split import PARTS, UNSAID, split_events
from graphrec.metrics.measures import measure_all
from graphrec.metrics.ranking import rank

FILES = {
    "beauty": ("interactions_ordered.parquet", "pos"),
    "sports": ("interactions_ordered.parquet", "pos"),
    "food": ("interactions_timestamped.parquet", "ts"),
    "kitchen": ("interactions_timestamped.parquet", "ts"),
    "electronics": ("interactions_timestamped.parquet", "ts"),
}

ANCHORS = {
    ("popularity", "beauty"): (0.0141, 0.0063),
    ("popularity", "sports"): (0.0091, 0.0052),
    ("popularity", "food"): (0.0084, 0.0041),
    ("popularity", "kitchen"): (0.0073, 0.0034),
    ("popularity", "electronics"): (0.0161, 0.0073),
    ("rp3beta", "beauty"): (0.0753, 0.0422),
    ("rp3beta", "sports"): (0.0546, 0.0306),
    ("rp3beta", "food"): (0.0351, 0.0190),
    ("rp3beta", "kitchen"): (0.0200, 0.0107),
    ("rp3beta", "electronics"): (0.0288, 0.0141),
    ("ease", "beauty"): (0.0764, 0.0418),
    ("ease", "food"): (0.0416, 0.0229),
}


@cache
def load(folder: Path, domain: str) -> DomainSplit:
    name, order = FILES[domain]
    raw = pl.read_parquet(folder / "amazon5" / name).filter(pl.col("domain") == domain)
    dense = [(pl.col(kind).rank("dense").cast(pl.Int64) - 1).alias(kind) for kind in ("user", "item")]
    events = raw.select(*dense, domain=pl.lit(0), order=pl.col(order), weight=pl.lit(1.0), split=pl.lit(UNSAID))
    events, _ = clean(events.cast(EVENTS), 1, CleanConfig())
    place = pl.Series(split_events(events, [domain], SplitConfig(), seed=0))
    parts = {name: events.filter(place == PARTS.index(name)) for name in ("train", "valid", "test")}
    return DomainSplit(
        domain=domain,
        num_users=events["user"].n_unique(),
        catalog=np.arange(events["item"].n_unique()),
        **{
            f"{name}_{kind}": part[kind].cast(pl.Int64).to_numpy()
            for name, part in parts.items()
            for kind in ("user", "item")
        },
    )


@pytest.mark.parametrize(("model", "domain"), ANCHORS)
def test_anchor(data_dir: Path, model: str, domain: str) -> None:
    split = load(data_dir, domain)
    known = known_history(split)
    fitted = make_baseline(model, BaselinesConfig()).fit(known, seed=0)
    values = measure_all(rank(fitted, split.test_user, split.test_item, known).ranks)
    found = (float(values["hr", 10].mean()), float(values["ndcg", 10].mean()))
    np.testing.assert_allclose(found, ANCHORS[model, domain], atol=0.0005)
