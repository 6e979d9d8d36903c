"""Options of the baselines, one class each."""

from graphrec.core.config import config, option


@config
class PopularityConfig:
    """Popularity has no options."""


@config
class ItemKNNConfig:
    """Options of item-kNN."""

    shrink: float = option(
        default=20.0, ge=0, help="Added to the product of two items' norms: doubts items with few events."
    )
    neighbours: int = option(default=1000, ge=1, help="Most similar items that each item of the history votes for.")


@config
class RP3BetaConfig:
    """Options of RP3beta."""

    alpha: float = option(default=0.5, ge=0, help="Power of the transition probabilities.")
    beta: float = option(default=0.2, ge=0, help="Power of the popularity that an item's score is divided by.")
    neighbours: int = option(
        default=1000, ge=1, help="Likeliest ends of a walk kept for each item, which bounds the memory."
    )


@config
class EASEConfig:
    """Options of EASE."""

    l2: float = option(default=200.0, gt=0, help="L2 regularisation (lambda).")
    max_items: int = option(
        default=20_000, ge=2, le=46_340, help="Beyond this many items it learns on the most popular ones only."
    )


@config
class IALSConfig:
    """Options of iALS."""

    dim: int = option(default=128, ge=1, help="Length of the vectors.")
    l2: float = option(default=20.0, ge=0, help="L2 regularisation of the vectors.")
    alpha: float = option(default=20.0, gt=0, help="Confidence of an event; that of a missing one is 1.")
    epochs: int = option(default=15, ge=1, help="Alternating sweeps over users and items.")


@config
class GFCFConfig:
    """Options of GF-CF."""

    dim: int = option(default=256, ge=1, help="Smooth directions that the low-pass filter keeps.")
    alpha: float = option(default=0.3, ge=0, help="Weight of the low-pass filter beside the linear one.")


@config
class BaselinesConfig:
    """Options of all baselines; the sections are called like the rows of the registry."""

    popularity: PopularityConfig = option(default=PopularityConfig(), help="Options of popularity.")
    item_knn: ItemKNNConfig = option(default=ItemKNNConfig(), help="Options of item-kNN.")
    rp3beta: RP3BetaConfig = option(default=RP3BetaConfig(), help="Options of RP3beta.")
    ease: EASEConfig = option(default=EASEConfig(), help="Options of EASE.")
    gf_cf: GFCFConfig = option(default=GFCFConfig(), help="Options of GF-CF.")
    ials: IALSConfig = option(default=IALSConfig(), help="Options of iALS.")
