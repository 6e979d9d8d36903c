"""Options of pretraining."""

from graphrec.core.config import config, option
from graphrec.encoders.config import EncoderConfig
from graphrec.training.config import FitConfig
from pretrain.objectives.config import AuxiliaryConfig, ObjectivesConfig


@config
class DistributedConfig:
    """How many processes train, and where. One process and one machine: no others are started."""

    processes: int = option(default=1, ge=1, help="Processes on each machine.")
    machines: int = option(default=1, ge=1, help="Machines that see the run's folder under the same path.")
    host: str = option(default="localhost", help="Address of the machine that starts the run, for the others.")
    port: int = option(default=29400, ge=1, le=65535, help="Port there.")

    @property
    def alone(self) -> bool:
        """Whether one process does it all."""
        return self.processes * self.machines == 1


@config
class PretrainConfig:
    """Options of `pretrain`."""

    encoder: EncoderConfig = option(default=EncoderConfig(), help="The encoder.")
    fit: FitConfig = option(
        default=FitConfig(epochs=8, lr=1e-2, batch_size=2048, patience=2), help="The training loop."
    )
    objectives: ObjectivesConfig = option(default=ObjectivesConfig(), help="What is minimised, by weight.")
    auxiliary: AuxiliaryConfig = option(default=AuxiliaryConfig(), help="Options of the objectives beside the ranking.")
    loss: str = option(default="sampled_softmax", choices=("sampled_softmax", "bpr"), help="The loss of the ranking.")
    temperature: float = option(default=0.15, gt=0, help="Scores are divided by it before the loss.")
    num_negatives: int = option(default=1024, ge=1, help="Items drawn as negatives, shared by the rows of a batch.")
    negative_power: float = option(
        default=0.0, ge=0, help="Negatives are drawn by popularity to this power; 0 is uniform."
    )
    popularity: float = option(
        default=0.0,
        ge=0,
        help="Weight of log(1 + events of an item) in the logits of training, and with the temperature in the scores "
        "that choose the epoch: vectors then need not say what popularity says (sampled_softmax).",
    )
    in_batch: bool = option(
        default=False, help="The batch's own items serve as negatives too, and the correction counts them."
    )
    cold_items: bool = option(
        default=False,
        help="Items without a training event are no negatives and begin at zero, so that knowledge alone places them.",
    )
    cold_dropout: float = option(
        default=0.8,
        ge=0,
        lt=1,
        help="Chance, with `cold_items`, that a step offers an item that triples or a text describe without its own "
        "vector, so that these learn to stand for it (one process; not lightgcn).",
    )
    start_from: str | None = option(
        default=None,
        path=True,
        help="Folder of an earlier run: what it knew keeps its vectors to begin with, the rest is new.",
    )
    regime: str = option(
        default="auto",
        choices=("auto", "full", "sampled"),
        help="A step looks at all nodes, or at those of its batch and some neighbours; auto: all where memory allows.",
    )
    kg_fanout: int = option(
        default=16, ge=1, help="Knowledge neighbours that a node is given in a step, drawn by trust (sampled)."
    )
    distributed: DistributedConfig = option(default=DistributedConfig(), help="Training by several processes.")
    valid_users: int = option(
        default=100_000, ge=1, help="Users of a domain at most that validation ranks for, drawn at random."
    )
    view_dropout: float = option(
        default=0.3, ge=0, lt=1, help="Chance that the view of another domain is switched off in a training step."
    )
    balance: float = option(
        default=0.7, ge=0, le=1, help="Domains are drawn by size to this power: 1 by size, 0 all alike."
    )
    gradients: str = option(
        default="none",
        choices=("none", "pcgrad"),
        help="pcgrad: a step takes every domain, and gradients give up what works against another domain's.",
    )
    uncertainty: bool = option(
        default=False, help="Domains are weighted by learned uncertainty (without align_uniform)."
    )


@config
class InheritConfig:
    """What to take over from a finished run in place of pretraining."""

    run: str | None = option(
        default=None, path=True, help="Folder of a finished run whose pretrained views serve this one."
    )
