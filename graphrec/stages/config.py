"""Options of the stages in this folder, one class per stage; torch-free, so that `--help` is instant."""

from graphrec.baselines.config import BaselinesConfig
from graphrec.baselines.registry import BASELINES
from graphrec.core.config import config, option
from graphrec.data.config import (
    AmazonConfig,
    CleanConfig,
    CorruptConfig,
    GraphConfig,
    JourneyConfig,
    KgatConfig,
    LeaksConfig,
    RecboleConfig,
    SplitConfig,
    TablesConfig,
)
from graphrec.data.readers import READERS
from graphrec.samplers.config import PairsConfig
from graphrec.text.config import ReadConfig
from graphrec.training.config import FitConfig


@config
class IngestConfig:
    """Options of `ingest`."""

    reader: str = option(default="tables", choices=tuple(READERS), help="Which reader makes the tables.")
    tables: TablesConfig = option(default=TablesConfig(), help="Tables of your own.")
    recbole: RecboleConfig = option(default=RecboleConfig(), help="Atomic files of RecBole.")
    kgat: KgatConfig = option(default=KgatConfig(), help="Text files of KGAT and KGIN.")
    amazon: AmazonConfig = option(default=AmazonConfig(), help="Amazon Reviews 2014 or 2023.")
    graph: GraphConfig = option(default=GraphConfig(), help="A saved torch-geometric or dgl graph.")
    journey: JourneyConfig = option(default=JourneyConfig(), help="The embedded default data.")
    user_ids: str = option(
        default="shared", choices=("shared", "per_domain"), help="Is one user id one person in all domains?"
    )
    item_ids: str = option(
        default="per_domain", choices=("shared", "per_domain"), help="Is one item id one item in all domains?"
    )
    clean: CleanConfig = option(default=CleanConfig(), help="What is merged and dropped, in each domain.")
    behaviour: str = option(
        default="keep", choices=("keep", "drop"), help="Triples of relations made from behaviour, such as also_bought."
    )
    leaks: LeaksConfig = option(default=LeaksConfig(), help="One product listed in two domains.")
    split: SplitConfig = option(default=SplitConfig(), help="How events become train, valid and test.")
    corrupt: CorruptConfig = option(
        default=CorruptConfig(), help="Wrong triples mixed in, to see what denoising finds."
    )


@config
class LongtailConfig:
    """Options of `longtail`."""

    pairs: PairsConfig = option(default=PairsConfig(), help="Random-walk pairs that the model is trained on.")
    temperature: float = option(default=0.1, gt=0, help="Divides the cosine in the sampled softmax.")
    negatives: int = option(default=512, ge=1, help="Negative items, uniform over the catalogue and shared by a batch.")
    neighbours: int = option(default=50, ge=1, help="Similar items written for each item.")
    fit: FitConfig = option(default=FitConfig(epochs=6, patience=2), help="Training of the item-to-item model.")


@config
class MergeConfig:
    """Options of `merge`."""

    threshold: float = option(
        default=0.0, ge=0, le=1, help="Of the triples that denoise keeps, those less likely true are left out, too."
    )
    drop_relations: tuple[str, ...] = option(default=(), help="Relations that do not go into the graph.")
    item_text: bool = option(
        default=False, help="The graph holds vectors of the items' texts, for `pretrain.encoder.kind: text`."
    )
    reading: ReadConfig = option(default=ReadConfig(), help="How the items' texts are read.")


@config
class EvaluateConfig:
    """Options of `evaluate`."""

    baselines: tuple[str, ...] = option(
        default=tuple(BASELINES), choices=tuple(BASELINES), help="Baselines to fit on the target's history."
    )
    options: BaselinesConfig = option(default=BaselinesConfig(), help="Options of each baseline.")
    bootstrap: int = option(default=1000, ge=100, help="Samples of users behind the intervals of differences.")


@config
class ExportConfig:
    """Options of `export`."""

    exact_limit: int = option(
        default=200_000,
        ge=0,
        help="Up to this many items the FAISS index searches exactly; above it, by an HNSW graph.",
    )
    hnsw_links: int = option(default=32, ge=2, le=512, help="Links of each item in the HNSW graph (M).")
    hnsw_build: int = option(default=200, ge=1, help="Candidates kept while building the HNSW graph (efConstruction).")
    hnsw_search: int = option(default=128, ge=1, help="Candidates kept while searching the HNSW graph (efSearch).")
