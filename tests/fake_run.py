"""A complete run folder made by hand: literal vectors and summaries, no training.

Six users (text ids, some not ASCII), five items of the target "garden" (integers beyond 2**53,
where floats would merge neighbours) and two source domains, one with a name made to break a page.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from graphrec.core import files
from graphrec.core.artifacts import MANIFEST, Artifact, Recipe, RunFolder
from graphrec.core.ids import IdMap
from graphrec.core.records import Record, write_records
from graphrec.core.search import MemorySearch
from graphrec.core.stage import StageContext
from graphrec.core.tracking import NullTracker
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Dataset, Events, Triples, save_dataset
from graphrec.encoders.pretrained import FULL, TRAIN, Pretrained
from graphrec.stages import export
from graphrec.stages.config import ExportConfig

EVIL = "<script>alert('x')</script>"
USERS = ["ana", "bo & co", "Ænne", "Жан", "张伟", "no history"]
GARDEN = [2**60 + n for n in range(5)]
PANTRY = [100, 101]
TOYS = [7]
DOMAINS = ("garden", "pantry", EVIL)
SEED = 3


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def user_row(name: str) -> int:
    return sorted(USERS).index(name)


def events(*triples: tuple[str, int, int]) -> Events:
    rows = sorted((domain, user_row(user), item) for user, item, domain in triples)
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Events(domain=columns[:, 0], user=columns[:, 1], item=columns[:, 2])


def tiny_dataset() -> Dataset:
    # Internal item ids ascend with the external ones: 7 -> 0, 100 -> 1, 101 -> 2, the garden 3 .. 7.
    items = IdMap.build("item", pl.Series(TOYS + PANTRY + GARDEN))
    train = events(("ana", 3, 0), ("ana", 4, 0), ("Ænne", 5, 0), ("Жан", 1, 1), ("bo & co", 2, 1), ("张伟", 0, 2))
    return Dataset(
        domains=DOMAINS,
        relations=("brand",),
        users=IdMap.build("user", pl.Series(USERS)),
        items=items,
        entities=IdMap.build("entity", pl.Series(["acme", "spade"])),
        catalog={"garden": ints(3, 4, 5, 6, 7), "pantry": ints(1, 2), EVIL: ints(0)},
        train=train,
        valid=events(("ana", 5, 0)),
        triples=Triples(head=ints(1), relation=ints(0), tail=ints(0), confidence=np.ones(1, np.float32)),
        link_item=ints(3),
        link_entity=ints(1),
        text=("",) * 8,
    )


def garden_vectors() -> tuple[np.ndarray, np.ndarray]:
    """Return user [6, 2] and item [5, 2]; item n scores n for a user (1, 0), and -n for (-1, 0)."""
    user = np.tile(np.array([1.0, 0.0], dtype=np.float32), (len(USERS), 1))
    user[user_row("bo & co")] = (-1, 0)
    user[user_row("no history")] = 0
    item = np.stack([np.arange(5), np.zeros(5)], axis=1).astype(np.float32)
    return user, item


def pretrained(dataset: Dataset) -> Pretrained:
    view = np.zeros((len(USERS), 2), dtype=np.float32)
    view[user_row("Жан")] = view[user_row("bo & co")] = (0, 1)
    views = {"pantry": view, EVIL: np.zeros_like(view)}
    item = {"pantry": np.array([[0, 1], [0, 2]], np.float32), EVIL: np.zeros((1, 2), np.float32)}
    entity = np.zeros((len(dataset.entities), 2), dtype=np.float32)
    both = (TRAIN, FULL)
    return Pretrained(
        domains=("pantry", EVIL),
        dim=2,
        user_views=dict.fromkeys(both, views),
        item=dict.fromkeys(both, item),
        entity=entity,
    )


def context(out: Path, inputs: Mapping[str, Artifact], workspace: Workspace, target: str = "garden") -> StageContext:
    return StageContext(
        inputs=inputs,
        out=out,
        workspace=workspace,
        tracker=NullTracker(),
        search=MemorySearch(),
        seed=SEED,
        target=target,
        sources=("pantry", EVIL),
    )


def neighbours() -> pl.DataFrame:
    rows = [(0, 1, 1, 0.9), (0, 2, 2, 0.5), (4, 3, 1, 0.8)]
    return pl.DataFrame(rows, schema=["item", "neighbour", "rank", "score"], orient="row")


def write_ingest(folder: Path, dataset: Dataset) -> None:
    save_dataset(dataset, events(("Ænne", 7, 0)), folder)


def write_pretrain(folder: Path, dataset: Dataset) -> None:
    pretrained(dataset).save(folder)


def write_adapt(folder: Path, _: Dataset) -> None:
    user, item = garden_vectors()
    arrays = {"user": user, "item": item, "share": np.zeros(0, dtype=np.float32)}
    models = {f"{prefix}{name}": array.copy() for prefix in ("", "vectors.") for name, array in arrays.items()}
    save_file(models, folder / "adapted.safetensors")


def write_longtail(folder: Path, _: Dataset) -> None:
    neighbours().write_parquet(folder / "neighbours.parquet")


FILES: Mapping[str, Callable[[Path, Dataset], None]] = {
    "ingest": write_ingest,
    "pretrain": write_pretrain,
    "adapt": write_adapt,
    "longtail": write_longtail,
}


def make_run(
    path: Path,
    summaries: Mapping[str, JSON],
    records: Mapping[str, list[Record]],
    dataset: Dataset | None = None,
) -> RunFolder:
    """Write one artifact per key of `summaries`, real files where the API needs them, and `run.json`."""
    data = dataset or tiny_dataset()
    run = RunFolder(path)
    path.mkdir(parents=True)
    made: dict[str, Artifact] = {}
    recipes: dict[str, Recipe] = {}

    def write(stage: str) -> Callable[[Path, Workspace], None]:
        def fill(folder: Path, workspace: Workspace) -> None:
            if stage == "export":
                export.run(context(folder, made, workspace), ExportConfig())
                return
            if stage in FILES:
                FILES[stage](folder, data)
            files.write_json(folder / "summary.json", summaries[stage])
            write_records(folder / "metrics.json", records.get(stage, []))

        return fill

    for stage in summaries:
        recipe = Recipe(stage=stage, config={}, seed=SEED, parents={}, code="0", libraries={"torch": "2.13.0"})
        recipes[stage] = recipe
        artifact = run.make(recipe, write(stage), facts={"threads": 2, "code_version": "0.1.0"})
        # The clock is the one part of a run that differs between two of them.
        files.write_json(artifact.path / MANIFEST, {**artifact.manifest, "seconds": 1.5})
        made[stage] = Artifact.open(artifact.path)
    run.publish(
        recipes,
        name="demo",
        target="garden",
        sources=["pantry", EVIL],
        seed=SEED,
        config={"seed": SEED, "target": "garden", "note": EVIL},
    )
    return run
