"""Options of `select` and `adapt`."""

from graphrec.core.config import config, option
from graphrec.encoders.config import ViewsConfig
from graphrec.training.config import FitConfig


@config
class ModelConfig:
    """The target's encoder and what it is trained with."""

    encoder: ViewsConfig = option(default=ViewsConfig(), help="The encoder of the target's own events.")
    temperature: float = option(default=0.15, gt=0, help="Scores are divided by it before the loss.")
    num_negatives: int = option(default=1024, ge=1, help="Items drawn as negatives, shared by the rows of a batch.")
    negative_power: float = option(
        default=0.0, ge=0, help="Negatives are drawn by popularity to this power; 0 is uniform."
    )
    view_dropout: float = option(
        default=0.3, ge=0, lt=1, help="Chance that a source view is switched off in a training step."
    )


@config
class SelectConfig:
    """Options of `select`."""

    model: ModelConfig = option(default=ModelConfig(), help="The target-only encoder that all trials share.")
    fit: FitConfig = option(
        default=FitConfig(epochs=12, lr=1e-2, batch_size=1024, patience=2), help="Training of the target-only encoder."
    )
    head: FitConfig = option(
        default=FitConfig(epochs=3, lr=1e-3, batch_size=2048), help="Training of the light head of each trial."
    )
    head_negatives: int = option(default=256, ge=1, help="Items drawn as negatives in a step of a head.")
    max_sources: int = option(
        default=6, ge=1, le=12, help="All subsets of up to this many sources; more are screened first."
    )
    max_events: int = option(default=20_000, ge=1, help="Training events that heads are fitted on at most.")
    min_gain: float = option(
        default=2.0,
        ge=0,
        help="Paired standard errors by which the best subset must beat no source, or none is chosen.",
    )


@config
class AdaptConfig:
    """Options of `adapt`."""

    model: ModelConfig = option(default=ModelConfig(), help="The encoder of every candidate.")
    fit: FitConfig = option(
        default=FitConfig(epochs=12, lr=1e-2, batch_size=1024, patience=2),
        help="Training of the base without sources, which every candidate goes on from.",
    )
    transfer: FitConfig = option(
        default=FitConfig(epochs=4, lr=1e-3, batch_size=1024, patience=1),
        help="Further training of each candidate, target-only included.",
    )
    refit: bool = option(
        default=True, help="Train again on train and validation events for the chosen number of epochs."
    )
    bootstrap: int = option(default=1000, ge=100, help="Samples of users behind the guard's 95 % intervals.")
