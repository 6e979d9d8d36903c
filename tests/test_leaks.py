"""Leaks: one product in two domains, pairs held out and trained on, relations made from behaviour."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graphrec.core.ids import IdMap
from graphrec.data.config import LeaksConfig
from graphrec.data.dataset import Dataset, Events, Triples
from graphrec.data.inspect.behaviour import behaviour_relations, is_behaviour
from graphrec.data.inspect.leaks import find_twins, giveaways, leak_rates, leak_report, repeated_pairs
from graphrec.data.split import PARTS

THREE = LeaksConfig(min_buyers=3)
TYPES = {"user": pl.Int32, "item": pl.Int32, "domain": pl.UInt16, "split": pl.UInt8}


def numbered(rows: list[tuple[int, int, int, str]]) -> pl.DataFrame:
    """(user, item, domain, split) in numbers, sorted as `build_dataset` does it."""
    coded = [(user, item, domain, PARTS.index(split)) for user, item, domain, split in rows]
    return pl.DataFrame(coded, schema=TYPES, orient="row").sort("domain", "user", maintain_order=True)


# Item 0 of domain 0 and item 5 of domain 1 have the buyers 1 to 4; item 6 has two of them and two others.
TWO = numbered(
    [(u, 0, 0, "train") for u in (1, 2, 3)]
    + [(4, 0, 0, "test")]
    + [(u, 5, 1, "train") for u in (1, 2, 4)]
    + [(3, 5, 1, "valid")]
    + [(u, 6, 1, "train") for u in (3, 4, 8, 9)]
    + [(u, 1, 0, "train") for u in (8, 9)]
)


def test_twins_have_nearly_the_same_buyers_and_stand_from_either_side() -> None:
    twins = find_twins(TWO, 7, THREE)
    assert twins.rows() == [(0, 0, 5, 1, 4, 4, 4), (5, 1, 0, 0, 4, 4, 4)]
    assert not find_twins(TWO, 7, LeaksConfig(min_buyers=5)).height
    both = find_twins(TWO, 7, LeaksConfig(min_buyers=2, min_jaccard=0.3))
    assert both.select("item", "twin", "num_both").rows() == [
        (0, 5, 4),
        (0, 6, 2),
        (1, 6, 2),
        (5, 0, 4),
        (6, 0, 2),
        (6, 1, 2),
    ]


def test_a_giveaway_is_the_training_event_on_the_twin_of_what_is_held_out() -> None:
    twins = find_twins(TWO, 7, THREE)
    given = TWO.filter(pl.Series(giveaways(TWO, twins))).select("user", "item", "domain").rows()
    assert given == [(3, 0, 0), (4, 5, 1)]
    assert leak_rates(TWO, twins, 2) == [1.0, 0.0]


def test_a_validation_event_gives_a_test_event_away_but_not_a_validation_event() -> None:
    later = TWO.with_columns(
        split=pl.when(pl.col("user") == 4, item=5).then(1).otherwise(pl.col("split")).cast(pl.UInt8)
    )
    twins = find_twins(later, 7, THREE)
    given = later.filter(pl.Series(giveaways(later, twins))).select("user", "item", "domain").rows()
    assert given == [(3, 0, 0), (4, 5, 1)]
    left = later.filter(~pl.Series(giveaways(later, twins)))
    assert leak_rates(left, twins, 2) == [0.0, 0.0]


def test_a_twin_that_training_does_not_show_is_known_but_not_visible() -> None:
    report = leak_report(TWO, ("a", "b"), 7, LeaksConfig(min_buyers=4))
    assert (report["num_twins"], report["num_visible_twins"], report["num_giveaways"]) == (1, 0, 2)
    assert [(d["given_away"], d["visible"]) for d in report["domains"]] == [(1.0, 0.0), (0.0, 0.0)]


def test_one_domain_or_none_has_no_twins() -> None:
    one = TWO.filter(pl.col("domain") == 0)
    assert not find_twins(one, 7, THREE).height
    assert not find_twins(TWO.clear(), 7, THREE).height
    assert leak_report(TWO.clear(), (), 0, THREE)["domains"] == []


def test_an_item_held_out_here_and_had_elsewhere_is_found_from_both_ends() -> None:
    rows = [(1, 0, 0, "test"), (1, 1, 0, "train"), (2, 0, 0, "test"), (1, 0, 1, "train"), (1, 1, 1, "train")]
    events = numbered([*rows, (2, 0, 1, "test"), (2, 1, 1, "train")])
    held, known = repeated_pairs(events)
    assert events.filter(pl.Series(held)).rows() == [(1, 0, 0, PARTS.index("test"))]
    assert events.filter(pl.Series(known)).rows() == [(1, 0, 1, PARTS.index("train"))]


def test_one_user_with_very_many_events_is_no_matter() -> None:
    events = pl.DataFrame({"user": np.zeros(300_000), "item": np.arange(300_000), "domain": np.repeat([0, 1], 150_000)})
    events = events.with_columns(split=pl.Series(np.tile([0, 2], 150_000))).cast(TYPES)
    assert not repeated_pairs(events)[0].any()


def pair_of_domains(folder: Path, names: tuple[str, str], *, shuffle: bool = False) -> pl.DataFrame:
    parts = []
    for domain, (own, other) in enumerate((names, names[::-1])):
        for split in ("train", "test"):
            path = folder / "cdr_pairs" / f"{own}_{other}" / f"{split}.txt.gz"
            frame = pl.read_csv(path, separator="\t", has_header=False, new_columns=["user", "item", "one"])
            if shuffle and split == "test":
                frame = frame.with_columns(pl.col("item").shuffle(seed=0))
            # Items are numbered anew in each domain: one number is two items.
            frame = frame.with_columns(pl.col("item") + domain * 100_000)
            parts.append(frame.with_columns(domain=pl.lit(domain), split=pl.lit(PARTS.index(split))))
    return pl.concat(parts).select(pl.col(name).cast(kind) for name, kind in TYPES.items()).sort("domain", "user")


def rates(folder: Path, names: tuple[str, str], *, shuffle: bool = False) -> tuple[list[float], list[float]]:
    events = pair_of_domains(folder, names, shuffle=shuffle)
    report = leak_report(events, names, int(events["item"].max()) + 1, LeaksConfig())
    assert report["num_repeated"] == 0 or shuffle
    return [d["visible"] for d in report["domains"]], [d["given_away"] for d in report["domains"]]


def test_sport_and_cloth_leak_at_the_rate_of_their_readme(data_dir: Path) -> None:
    visible, known = rates(data_dir, ("sport", "cloth"))
    assert visible == pytest.approx([0.090, 0.077], abs=0.005)
    # All events tell more twins than training events do: the readme's rate is the lower of the two.
    assert known == pytest.approx([0.118, 0.106], abs=0.001)


def test_sport_and_phone_are_clean(data_dir: Path) -> None:
    visible, _ = rates(data_dir, ("sport", "phone"))
    assert max(visible) <= 0.006


def test_shuffled_test_items_are_given_away_by_chance_only(data_dir: Path) -> None:
    visible, known = rates(data_dir, ("sport", "cloth"), shuffle=True)
    assert max(visible + known) <= 0.001


@pytest.mark.parametrize(
    "name",
    [
        "also_bought",
        "also_viewed",
        "bought_together",
        "buy_after_viewing",
        "co_purchase",
        "co_click",
        "alsoBought",
        "amazon:also_view",
        "frequently_bought_together",
        "viewed-together",
        "coPurchased",
        "Customers_also_bought",
    ],
)
def test_behaviour_is_told_by_name(name: str) -> None:
    assert is_behaviour(name)


@pytest.mark.parametrize(
    "name",
    [
        "produced_by",
        "belongs_to",
        "film.actor.film",
        "cover_artist",
        "likes_genre",
        "same_brand",
        "company",
        "similar_to",
        "r12",
    ],
)
def test_knowledge_is_not(name: str) -> None:
    assert not is_behaviour(name)


def test_a_relation_between_items_that_share_users_looks_like_behaviour() -> None:
    random = np.random.default_rng(0)
    # 100 pairs of items (2k, 2k + 1), each bought by the same three of 200 users.
    buyers = random.integers(0, 200, (100, 3))
    rows = [(int(u), 2 * k + side, 0, "train") for k in range(100) for u in set(buyers[k].tolist()) for side in (0, 1)]
    events, empty = numbered(rows), np.empty(0, dtype=np.int64)
    ids = IdMap.build("entity", pl.Series(range(200)))
    one, shuffled = np.arange(0, 200, 2), random.permutation(np.arange(1, 200, 2))
    triples = Triples(
        head=np.concatenate([one, one, one[:3]]),
        relation=np.repeat([0, 1, 2], [100, 100, 3]),
        tail=np.concatenate([one + 1, shuffled, one[:3] + 1]),
        confidence=np.ones(203, dtype=np.float32),
    )
    none = Events(user=empty, item=empty, domain=empty)
    dataset = Dataset(
        domains=("d",),
        relations=("goes_with", "same_colour", "co_click"),
        users=ids,
        items=ids,
        entities=ids,
        catalog={"d": np.arange(200)},
        train=none,
        valid=none,
        triples=triples,
        link_item=np.arange(200),
        link_entity=np.arange(200),
        text=(),
    )
    found = {row["relation"]: row for row in behaviour_relations(dataset, events)}
    assert found["goes_with"]["by_data"] and not found["goes_with"]["by_name"]
    assert not found["same_colour"]["by_data"]
    assert found["co_click"] == {
        "relation": "co_click",
        "by_name": True,
        "by_data": False,
        "num_pairs": 3,
        "lift": None,
    }
