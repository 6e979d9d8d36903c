"""Weights and options of the objectives."""

from graphrec.core.config import config, option


@config
class ObjectivesConfig:
    """Weight of each objective in the loss; one of weight 0 is not computed."""

    ranking: float = option(default=1.0, ge=0, help="Each event's item ranks above the negatives (`loss`).")
    align_uniform: float = option(default=0.0, ge=0, help="Users lie near their items, and both are spread out.")
    kg_link: float = option(default=0.0, ge=0, help="Nodes find the other end of their triples.")
    masked_edges: float = option(default=0.0, ge=0, help="Nodes find the other end of triples hidden in this step.")
    noise_views: float = option(default=0.0, ge=0, help="Users and items are themselves under noise, and no others.")
    kg_view: float = option(default=0.0, ge=0, help="Items are what their knowledge says of them.")
    user_align: float = option(default=0.0, ge=0, help="Users of two domains are the same in both.")
    prototypes: float = option(
        default=0.0, ge=0, help="Users and their items belong to the same prototypes, which the domains share."
    )


@config
class AuxiliaryConfig:
    """Options of the objectives beside `ranking`."""

    temperature: float = option(default=0.2, gt=0, help="Cosines of contrasts and links are divided by it.")
    rows: int = option(
        default=512, ge=2, help="Users and items of a batch that are contrasted (noise_views, kg_view, user_align)."
    )
    uniformity: float = option(default=1.0, ge=0, help="Weight of uniformity beside alignment (align_uniform).")
    noise: float = option(default=0.1, ge=0, help="Length of the noise added to a unit vector (noise_views).")
    links: int = option(default=1024, ge=1, help="Triples looked at in a step (kg_link, masked_edges).")
    mask: float = option(default=0.1, gt=0, lt=1, help="Share of the triples hidden in a step (masked_edges).")
    num_prototypes: int = option(default=64, ge=2, help="Prototypes (prototypes).")
