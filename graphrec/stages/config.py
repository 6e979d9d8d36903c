"""Options of the stages in this folder, one class per stage; torch-free, so that `--help` is instant."""

from graphrec.core.config import config, option


@config
class ExportConfig:
    """Options of `export`."""

    exact_limit: int = option(
        200_000, ge=0, help="Up to this many items the FAISS index searches exactly; above it, by an HNSW graph."
    )
    hnsw_links: int = option(32, ge=2, le=512, help="Links of each item in the HNSW graph (M).")
    hnsw_build: int = option(200, ge=1, help="Candidates kept while building the HNSW graph (efConstruction).")
    hnsw_search: int = option(128, ge=1, help="Candidates kept while searching the HNSW graph (efSearch).")
