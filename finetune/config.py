"""Options of `select` and `adapt`."""

from graphrec.core.config import config, option
from graphrec.core.errors import ConfigError
from graphrec.encoders.config import ViewsConfig
from graphrec.training.config import FitConfig

MOST_SOURCES = 12
"""Sources whose subsets can all be tried: 4,096."""


@config
class ModelConfig:
    """The target's encoder and what it is trained with."""

    encoder: ViewsConfig = option(default=ViewsConfig(), help="The encoder of the target's own events.")
    temperature: float = option(default=0.15, gt=0, help="Scores are divided by it before the loss.")
    num_negatives: int = option(default=1024, ge=1, help="Items drawn as negatives, shared by the rows of a batch.")
    negative_power: float = option(
        default=0.0, ge=0, help="Negatives are drawn by popularity to this power; 0 is uniform."
    )
    cold_items: bool = option(
        default=False,
        help="Items without a training event are no negatives and begin at zero, so that knowledge alone places them.",
    )
    cold_dropout: float = option(
        default=0.8,
        ge=0,
        lt=1,
        help="Chance, with `cold_items`, that a step offers an item that knowledge describes without its own vector.",
    )


@config
class EvidenceConfig:
    """How sources are mapped to the target and weighed on its validation events."""

    ridges: tuple[float, ...] = option(
        default=(1.0, 3.0, 10.0),
        gt=0,
        min_length=1,
        help="Ridges of the maps to choose from on validation, in mean eigenvalues.",
    )
    neighbours: int = option(
        default=100, ge=1, help="Items of the target, at most, that an item goes together with, counted item by item."
    )
    saturations: tuple[float, ...] = option(
        default=(0.1, 9.0),
        gt=0,
        min_length=1,
        help="Values of a in log(1 + a * count), a usual count being 1, to choose from on validation: a small one "
        "hardly bends, with a large one more soon says no more (adapt).",
    )
    cross_rank: int = option(
        default=64, ge=4, help="Dimensions of the vectors that say which items of a source go with which."
    )
    max_events: int = option(default=50_000, ge=1, help="Training events at most that maps are fitted on.")
    num_offered: int = option(default=4096, ge=2, help="Items, drawn evenly, that these events are compared with.")
    valid_events: int = option(default=10_000, ge=1, help="Validation events at most that weights are fitted on.")
    base_candidates: int = option(default=100, ge=10, help="Candidates of an event: the best without sources.")
    source_candidates: int = option(
        default=150, ge=10, help="And the best by the sources, so many divided by the channels, 5 each at least."
    )
    penalty: float = option(
        default=3.0, ge=0, help="What a weight must gain, in units of the Bayesian information criterion's."
    )


@config
class SelectConfig:
    """Options of `select`."""

    model: ModelConfig = option(default=ModelConfig(), help="The target-only encoder that all trials share.")
    fit: FitConfig = option(
        default=FitConfig(epochs=12, lr=1e-2, batch_size=1024, patience=2), help="Training of the target-only encoder."
    )
    evidence: EvidenceConfig = option(default=EvidenceConfig(), help="What a subset is worth.")
    search: str = option(
        default="auto",
        choices=("auto", "exhaustive", "greedy", "gates"),
        help="All subsets (of up to 12 sources), forward and backward steps, or the weights of one fit with all; "
        "auto: by `max_sources`.",
    )
    max_sources: int = option(default=6, ge=1, le=MOST_SOURCES, help="Up to so many sources auto tries all subsets.")
    seeds: int = option(
        default=1,
        ge=1,
        help="Target-only encoders, each of its own seed, over which a gain is the mean; with several, more counts "
        "only beyond its standard error over them.",
    )

    def check(self, num_sources: int) -> None:
        """Raise `ConfigError` where `search` cannot go through the subsets of so many sources."""
        if self.search == "exhaustive" and num_sources > MOST_SOURCES:
            raise ConfigError(
                f"select.search: exhaustive tries all {2**num_sources:,} subsets of {num_sources} sources; "
                f"it takes {MOST_SOURCES} sources at most, so set select.search=greedy or name fewer"
            )


@config
class AdaptConfig:
    """Options of `adapt`."""

    model: ModelConfig = option(default=ModelConfig(), help="The encoder of every candidate.")
    fit: FitConfig = option(
        default=FitConfig(epochs=12, lr=1e-2, batch_size=1024, patience=2),
        help="Training of the base without sources, which every candidate goes on from.",
    )
    evidence: EvidenceConfig = option(default=EvidenceConfig(), help="How sources are mapped and weighed.")
    tune: str = option(
        default="gate",
        choices=("gate", "adapter", "full"),
        help="What is trained beyond maps and weights in closed form: nothing, the maps, or the encoder as well.",
    )
    transfer: FitConfig = option(
        default=FitConfig(epochs=4, lr=1e-3, batch_size=1024, patience=1),
        help="That further training, of each candidate, target-only included.",
    )
    view_dropout: float = option(
        default=0.3, ge=0, lt=1, help="Chance that a source view is switched off in a step of it."
    )
    refit: bool = option(
        default=True, help="Train again on train and validation events for the chosen number of epochs."
    )
    bootstrap: int = option(default=1000, ge=100, help="Samples of users behind the guard's 95 % intervals.")
