"""FAISS behind a protocol of three methods, with an exact NumPy twin that tests hold it against.

An index answers one question: which rows have the largest inner product with a query. Exact
search scans every row; above a size it gives way to HNSW, a navigable graph that visits a few
thousand rows and misses a few of the best.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np

from graphrec.core.errors import ArtifactError
from graphrec.core.types import FloatArray, IntArray


class Index(Protocol):
    """Rows searchable by inner product."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        """Return `(scores, rows)`, each [num_queries, min(k, num_rows)], best first.

        A row of -1 marks a place that approximate search could not fill.
        """
        ...


@dataclass(frozen=True)
class ExactIndex:
    """The reference: scores every row, equal scores in row order. `vectors` is [num_rows, dim]."""

    vectors: FloatArray

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        """Return the `k` best rows of each query, see `Index.search`."""
        scores = queries @ self.vectors.T  # [num_queries, num_rows]
        rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, rows, axis=1), rows.astype(np.int64)


@dataclass(frozen=True)
class FaissIndex:
    """A FAISS index, built in memory or read from its file."""

    index: Any

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        """Return the `k` best rows of each query, see `Index.search`."""
        k = min(k, len(self))
        if k == 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        scores, rows = self.index.search(np.ascontiguousarray(queries, dtype=np.float32), k)
        return scores, rows

    def save(self, path: Path) -> None:
        """Write the index as one file that `faiss.read_index` reads."""
        faiss.write_index(self.index, str(path))


def build_index(
    vectors: FloatArray, *, exact_limit: int, hnsw_links: int, hnsw_build: int, hnsw_search: int
) -> FaissIndex:
    """Index `vectors` [num_rows, dim] by inner product: exactly up to `exact_limit` rows, else by HNSW.

    `hnsw_links` (M), `hnsw_build` (efConstruction) and `hnsw_search` (efSearch) are those of
    Malkov and Yashunin 2018, arXiv:1603.09320, section 4.
    """
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if len(rows) <= exact_limit:
        flat = faiss.IndexFlatIP(rows.shape[1])
        flat.add(rows)
        return FaissIndex(flat)
    graph = faiss.IndexHNSWFlat(rows.shape[1], hnsw_links, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = hnsw_build, hnsw_search
    _add_in_order(graph, rows)
    return FaissIndex(graph)


def read_index(path: Path) -> FaissIndex:
    """Read an index that `FaissIndex.save` wrote; raise `ArtifactError` when it cannot be read."""
    try:
        return FaissIndex(faiss.read_index(str(path)))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ArtifactError(f"{path}: not a FAISS index ({reason}); delete its folder and run again") from None


def _add_in_order(index: Any, rows: FloatArray) -> None:
    # Threads insert in the order they happen to run in; one thread gives the same graph every time.
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index.add(rows)
    finally:
        faiss.omp_set_num_threads(threads)
