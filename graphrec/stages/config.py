"""Options of the stages in this folder, one class per stage; torch-free, so that `--help` is instant."""

from graphrec.core.config import config, option
from graphrec.data.config import CorruptConfig, JourneyConfig, SplitConfig, TablesConfig
from graphrec.samplers.config import PairsConfig
from graphrec.training.config import FitConfig


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
class LongtailConfig:
    """Options of `longtail`."""

    pairs: PairsConfig = option(PairsConfig(), help="Random-walk pairs that the model is trained on.")
    temperature: float = option(0.1, gt=0, help="Divides the cosine in the sampled softmax.")
    negatives: int = option(512, ge=1, help="Negative items, uniform over the catalogue and shared by a batch.")
    neighbours: int = option(50, ge=1, help="Similar items written for each item.")
    fit: FitConfig = option(FitConfig(epochs=6, patience=2), help="Training of the item-to-item model.")


@config
class MergeConfig:
    """Options of `merge`."""

    threshold: float = option(0.05, ge=0, le=1, help="Triples with a smaller probability of being true are left out.")
    drop_relations: tuple[str, ...] = option((), help="Relations that do not go into the graph.")


@config
class ExportConfig:
    """Options of `export`."""

    exact_limit: int = option(
        200_000, ge=0, help="Up to this many items the FAISS index searches exactly; above it, by an HNSW graph."
    )
    hnsw_links: int = option(32, ge=2, le=512, help="Links of each item in the HNSW graph (M).")
    hnsw_build: int = option(200, ge=1, help="Candidates kept while building the HNSW graph (efConstruction).")
    hnsw_search: int = option(128, ge=1, help="Candidates kept while searching the HNSW graph (efSearch).")
