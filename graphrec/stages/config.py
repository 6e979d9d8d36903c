"""Options of the stages in this folder, one class per stage; torch-free, so that `--help` is instant."""

from graphrec.core.config import config, option
from graphrec.data.config import CorruptConfig, JourneyConfig, SplitConfig, TablesConfig


@config
class IngestConfig:
    """Options of `ingest`."""

    reader: str = option("tables", choices=("tables", "journey"), help="Which reader makes the tables.")
    tables: TablesConfig = option(TablesConfig(), help="Tables of your own.")
    journey: JourneyConfig = option(JourneyConfig(), help="The embedded default data.")
    user_ids: str = option("shared", choices=("shared", "per_domain"), help="Is one user id one person in all domains?")
    item_ids: str = option(
        "per_domain", choices=("shared", "per_domain"), help="Is one item id one item in all domains?"
    )
    min_item_users: int = option(1, ge=1, help="Drop items with fewer distinct users in their domain.")
    split: SplitConfig = option(SplitConfig(), help="How events become train, valid and test.")
    corrupt: CorruptConfig = option(CorruptConfig(), help="Wrong triples mixed in, to see what denoising finds.")


@config
class ExportConfig:
    """Options of `export`."""

    exact_limit: int = option(
        200_000, ge=0, help="Up to this many items the FAISS index searches exactly; above it, by an HNSW graph."
    )
    hnsw_links: int = option(32, ge=2, le=512, help="Links of each item in the HNSW graph (M).")
    hnsw_build: int = option(200, ge=1, help="Candidates kept while building the HNSW graph (efConstruction).")
    hnsw_search: int = option(128, ge=1, help="Candidates kept while searching the HNSW graph (efSearch).")
