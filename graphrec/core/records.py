"""One shape for every number that a run reports: the rows of `metrics.json`."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from graphrec.core import files


@dataclass(frozen=True, kw_only=True)
class Record:
    """One measured value.

    `group` is the part it was measured on ("all", "head", "mid", "tail", "cold", or a relation),
    `k` the cut-off of a ranking metric (0 where there is none).
    """

    stage: str
    domain: str
    split: str
    group: str
    model: str
    metric: str
    k: int
    seed: int
    value: float

    @property
    def measure(self) -> str:
        """Return METRIC@K, with .GROUP behind it where a part was measured: ndcg@10, hr@20.tail."""
        return f"{self.metric}@{self.k}" + ("" if self.group == "all" else f".{self.group}")


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records as a JSON list; equal records give equal bytes."""
    files.write_json(path, [dataclasses.asdict(record) for record in records])


def read_records(path: Path) -> list[Record]:
    """Read what `write_records` wrote."""
    return [Record(**row) for row in files.read_records(path)]
