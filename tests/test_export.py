"""Export: every file reads back to equal arrays, ids of every kind survive, the index agrees with the exact one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from graphrec.core import files
from graphrec.core.artifacts import RunFolder
from graphrec.core.errors import ArtifactError
from graphrec.core.ids import IdMap
from graphrec.stages._faiss import ExactIndex, FaissIndex, build_index, read_index
from graphrec.stages.export import export
from tests.fake_run import GARDEN, USERS, garden_vectors, ints, make_run, neighbours, tiny_dataset, user_row

STAGES = ("ingest", "pretrain", "adapt", "longtail", "export")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("export") / "run", {stage: {} for stage in STAGES}, {})


@pytest.fixture(scope="module")
def folder(run: RunFolder) -> Path:
    return run.current("export").path


def flat(vectors: np.ndarray, *, exact_limit: int = 1000) -> FaissIndex:
    return build_index(vectors, exact_limit=exact_limit, hnsw_links=16, hnsw_build=100, hnsw_search=64)


def test_user_without_history_stays_behind(folder: Path) -> None:
    users = pl.read_parquet(folder / "users.parquet")
    assert users["id"].to_list() == sorted(set(USERS) - {"no history"})
    assert files.read_json(folder / "summary.json")["num_users_left_out"] == 1


def test_user_without_vector_stays_behind() -> None:
    user, item = garden_vectors()
    user[user_row("ana")] = 0
    made = export(tiny_dataset(), "garden", user, item, neighbours())
    assert "ana" not in made.users["id"].to_list()
    assert made.num_left_out == 2


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_popularity_serves_who_has_no_vector_where_it_has_a_weight(weight: float) -> None:
    user, item = garden_vectors()
    user[user_row("ana")] = 0
    user = np.hstack([user, np.ones((len(user), 1), np.float32)])
    item = np.hstack([item, np.full((len(item), 1), weight, np.float32)])
    made = export(tiny_dataset(), "garden", user, item, neighbours())
    assert ("ana" in made.users["id"].to_list()) == (weight > 0)


def test_vectors_round_trip_in_every_format(folder: Path) -> None:
    user, item = garden_vectors()
    arrays = load_file(folder / "vectors.safetensors")
    for name, wanted in (("user", user[: len(USERS)]), ("item", item)):
        table = pl.read_parquet(folder / f"{name}s.parquet")
        assert table.schema["vector"] == pl.Array(pl.Float32, 2)
        np.testing.assert_array_equal(table["vector"].to_numpy(), arrays[name])
        assert arrays[name].dtype == np.float32 == wanted.dtype
    np.testing.assert_array_equal(arrays["item"], item)
    kept = [user_row(u) for u in sorted(set(USERS) - {"no history"})]
    np.testing.assert_array_equal(arrays["user"], user[kept])


def test_integer_ids_beyond_float_precision_survive(folder: Path) -> None:
    assert pl.read_parquet(folder / "items.parquet")["id"].to_list() == GARDEN


def test_neighbours_carry_external_ids(folder: Path) -> None:
    table = pl.read_parquet(folder / "neighbours.parquet")
    assert table["item"].to_list() == [GARDEN[0], GARDEN[0], GARDEN[4]]
    assert table["neighbour"].to_list() == [GARDEN[1], GARDEN[2], GARDEN[3]]


def test_seen_is_train_and_valid_of_the_target_and_never_test(folder: Path) -> None:
    ids, items = (pl.read_parquet(folder / f"{name}.parquet")["id"] for name in ("users", "items"))
    seen = pl.read_parquet(folder / "seen.parquet")
    pairs = set(zip(ids.gather(seen["user"]), items.gather(seen["item"]), strict=True))
    assert pairs == {("ana", GARDEN[0]), ("ana", GARDEN[1]), ("ana", GARDEN[2]), ("Ænne", GARDEN[2])}


def test_every_file_is_described(folder: Path) -> None:
    about = files.read_json(folder / "export.json")
    extra = {"export.json", "summary.json", "metrics.json", "manifest.json"}
    assert set(about["files"]) == {path.name for path in folder.iterdir()} - extra
    assert (about["dim"], about["metric"], about["index"]) == (2, "inner product", "exact")


def test_scoped_ids_name_their_domain() -> None:
    dataset = tiny_dataset()
    scopes = pl.Series(["garden"] * 3 + ["pantry"] * 3)
    scoped = replace(dataset, users=IdMap.build("user", pl.Series([1, 2, 3, 1, 2, 3]), scopes))
    user, item = garden_vectors()
    made = export(scoped, "garden", user, item, neighbours())
    assert made.users.columns == ["id", "domain", "vector"]
    assert made.items.columns == ["id", "vector"]
    assert made.users.select("id", "domain").n_unique() == made.users.height


def test_empty_domain_has_empty_tables() -> None:
    dataset = replace(tiny_dataset(), catalog={"garden": ints()})
    no_events = replace(dataset, train=dataset.train.of(9), valid=dataset.valid.of(9))
    made = export(no_events, "garden", np.zeros((6, 2), np.float32), np.zeros((0, 2), np.float32), neighbours()[:0])
    assert (made.users.height, made.items.height, made.seen.height, made.neighbours.height) == (0, 0, 0, 0)
    scores, rows = flat(made.item).search(np.zeros((1, 2), np.float32), 3)
    assert scores.shape == rows.shape == (1, 0)


def test_exact_index_equals_the_reference(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    flat(vectors).save(tmp_path / "items.faiss")
    index, reference = read_index(tmp_path / "items.faiss"), ExactIndex(vectors)
    for got, wanted in zip(index.search(vectors[:20], 10), reference.search(vectors[:20], 10), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5)
    assert len(index) == len(reference) == 300


def test_k_beyond_the_rows_gives_all_rows() -> None:
    vectors = np.eye(3, dtype=np.float32)
    assert flat(vectors).search(vectors, 9)[1].shape == ExactIndex(vectors).search(vectors, 9)[1].shape == (3, 3)


def test_hnsw_finds_nearly_all_and_is_the_same_twice(tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).normal(size=(2000, 16)).astype(np.float32)
    index = flat(vectors, exact_limit=100)
    found, wanted = index.search(vectors[:200], 10)[1], ExactIndex(vectors).search(vectors[:200], 10)[1]
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, wanted, strict=True)])
    assert recall > 0.95
    index.save(tmp_path / "a.faiss")
    flat(vectors, exact_limit=100).save(tmp_path / "b.faiss")
    assert files.file_hash(tmp_path / "a.faiss") == files.file_hash(tmp_path / "b.faiss")


def test_damaged_index_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "items.faiss").write_text("not an index")
    with pytest.raises(ArtifactError, match="not a FAISS index"):
        read_index(tmp_path / "items.faiss")
