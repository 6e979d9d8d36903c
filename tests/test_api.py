"""The public API on a run made by hand, where every ranking is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file
from scipy.sparse import csr_array

from graphrec import api
from graphrec.core.artifacts import RunFolder
from graphrec.core.errors import ArtifactError, DataError
from graphrec.core.ids import IdMap
from graphrec.core.records import Record
from graphrec.data.dataset import Dataset
from graphrec.metrics import ranking
from graphrec.metrics.scorers import Together, hybrid_arrays
from tests import fake_run
from tests.fake_run import EVIL, GARDEN, PANTRY, SEED, garden_vectors, make_run, tiny_dataset, user_row

STAGES = ("ingest", "pretrain", "adapt", "longtail", "export")
RECORD = Record(
    stage="adapt", domain="garden", split="valid", group="all", model="ours", metric="ndcg", k=10, seed=SEED, value=0.5
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    path = tmp_path_factory.mktemp("api") / "run"
    return make_run(path, {stage: {} for stage in STAGES}, {"adapt": [RECORD]})


@pytest.fixture
def run(folder: RunFolder) -> api.Run:
    return api.load(folder.path)


def rows(table: pl.DataFrame, user: str) -> list[tuple[int, int, float]]:
    return table.filter(pl.col("user") == user).select("item", "rank", "score").rows()


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="not a run folder"):
        api.load(tmp_path)


def test_names(run: api.Run) -> None:
    assert run.target == "garden"
    assert run.domains == ("garden", "pantry", EVIL)


def test_best_unseen_items_first(run: api.Run) -> None:
    table = run.recommend(k=3)
    assert table.columns == ["user", "item", "rank", "score"]
    assert table["user"].n_unique() == 5
    assert rows(table, "张伟") == [(GARDEN[4], 1, 4.0), (GARDEN[3], 2, 3.0), (GARDEN[2], 3, 2.0)]
    assert rows(table, "bo & co") == [(GARDEN[0], 1, 0.0), (GARDEN[1], 2, -1.0), (GARDEN[2], 3, -2.0)]


def test_the_shipped_model_is_asked_and_not_its_vectors_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(folder: Path, _: Dataset) -> None:
        user, item = garden_vectors()
        # Who had the first item of the garden is offered its last but one above all.
        had = csr_array(([1.0], ([user_row("ana")], [0])), shape=(len(user), len(item)))
        goes = csr_array(([np.e**5 - 1], ([0], [3])), shape=(len(item), len(item)))
        arrays = {"user": user, "item": item, "share": np.float32([2.0]), **hybrid_arrays([Together(had, goes)])}
        arrays |= {"vectors.user": user.copy(), "vectors.item": item.copy()}
        save_file(arrays, folder / "adapted.safetensors")

    monkeypatch.setattr(fake_run, "FILES", {**fake_run.FILES, "adapt": write})
    run = api.load(make_run(tmp_path / "run", {stage: {} for stage in STAGES}, {}).path)
    assert rows(run.recommend(["ana"]), "ana") == [(GARDEN[3], 1, 13.0), (GARDEN[4], 2, 4.0)]
    assert rows(run.recommend(["张伟"], k=2), "张伟") == [(GARDEN[4], 1, 4.0), (GARDEN[3], 2, 3.0)]


def test_seen_items_are_removed_and_the_list_shortens(run: api.Run) -> None:
    assert rows(run.recommend(["ana"], k=9), "ana") == [(GARDEN[4], 1, 4.0), (GARDEN[3], 2, 3.0)]


def test_listed_users_keep_their_order_once(run: api.Run) -> None:
    table = run.recommend(["张伟", "ana", "张伟"], k=1)
    assert table["user"].to_list() == ["张伟", "ana"]
    assert table["rank"].to_list() == [1, 1]


def test_no_users_give_an_empty_table(run: api.Run) -> None:
    empty = run.recommend([], k=2)
    assert empty.height == 0
    assert empty.schema == run.recommend(k=2).schema


def test_blocks_do_not_change_the_answer(run: api.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run.recommend(k=4)
    monkeypatch.setattr(ranking, "_BLOCK", 1)
    assert run.recommend(k=4).equals(whole)


def test_source_domain_uses_the_pretrained_view(run: api.Run) -> None:
    table = run.recommend(k=5, domain="pantry")
    assert table.rows() == [("bo & co", PANTRY[0], 1, 1.0), ("Жан", PANTRY[1], 1, 2.0)]


@pytest.mark.parametrize(
    ("users", "message"),
    [
        (["ana", "eve", "ivo"], r"'eve', 'ivo': users that this run does not know; its ids are text.*run again"),
        ([1, 2], "'1', '2': users that this run does not know; its ids are text"),
        (["no history"], "'no history': known users, but without events.*leave them out"),
        (["ana", 2], "all integers or all text"),
        ([1.5], "expected integers or text"),
        ([f"x{n}" for n in range(7)], "'x4' and 2 more"),
    ],
)
def test_users_that_cannot_be_served_are_named(run: api.Run, users: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run.recommend(users)


def test_other_mistakes_are_one_clear_line(run: api.Run) -> None:
    with pytest.raises(DataError, match="k = 0"):
        run.recommend(k=0)
    with pytest.raises(DataError, match="known domains: garden, pantry"):
        run.recommend(domain="books")
    with pytest.raises(DataError, match="expected 'item' or 'user'"):
        run.vectors("users")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="without events to recommend from in pantry"):
        run.recommend(["ana"], domain="pantry")


def test_neighbours(run: api.Run) -> None:
    table = run.neighbours([GARDEN[4], GARDEN[0]], k=2)
    assert table.rows() == [
        (GARDEN[4], GARDEN[3], 1, 0.8),
        (GARDEN[0], GARDEN[1], 1, 0.9),
        (GARDEN[0], GARDEN[2], 2, 0.5),
    ]
    assert run.neighbours([GARDEN[1]], k=1).height == 0
    with pytest.raises(DataError, match="kept 2 neighbours"):
        run.neighbours([GARDEN[0]], k=3)
    with pytest.raises(DataError, match="5: no such items in garden; its ids are integers"):
        run.neighbours([5], k=1)


def test_ids_that_spell_the_same_are_the_same(run: api.Run) -> None:
    texts = [str(GARDEN[4]), str(GARDEN[0])]
    assert run.neighbours(texts, k=1).equals(run.neighbours([GARDEN[4], GARDEN[0]], k=1))
    with pytest.raises(DataError, match="'0017': no such items"):
        run.neighbours(["0017"], k=1)


def test_vectors(run: api.Run) -> None:
    ids, vectors = run.vectors("item")
    assert ids.to_list() == GARDEN
    np.testing.assert_array_equal(vectors[:, 0], np.arange(5))
    assert len(run.vectors("user")[0]) == len(run.vectors("user")[1]) == 5


def test_metrics_are_the_records_of_every_stage(run: api.Run) -> None:
    table = run.metrics().filter(pl.col("stage") == "adapt")
    assert table.rows(named=True) == [vars(RECORD)]
    assert set(run.metrics()["stage"]) == {"adapt", "export"}


def test_ids_of_one_domain_mean_its_own_users(tmp_path: Path) -> None:
    scope = pl.Series(["garden"] * 3 + ["pantry"] * 3)
    scoped = replace(tiny_dataset(), users=IdMap.build("user", pl.Series([1, 2, 3, 1, 2, 3]), scope))
    run = api.load(make_run(tmp_path / "run", {stage: {} for stage in STAGES}, {}, dataset=scoped).path)
    assert run.recommend(k=1).select("user", "item").rows() == [(1, GARDEN[4]), (2, GARDEN[0])]
    assert run.recommend(["2", "1"], k=1)["user"].to_list() == [2, 1]
    assert run.recommend(k=1, domain="pantry").select("user", "item").rows() == [(2, PANTRY[1])]
    with pytest.raises(DataError, match="3: known users, but without events"):
        run.recommend([3])


def test_public_names_are_pinned() -> None:
    public = {name for name in vars(api.Run) if not name.startswith("_")}
    assert public == {"target", "domains", "recommend", "neighbours", "vectors", "metrics"}
