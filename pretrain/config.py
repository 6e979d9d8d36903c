"""Options of pretraining."""

from graphrec.core.config import config, option
from graphrec.encoders.config import EncoderConfig
from graphrec.training.config import FitConfig


@config
class PretrainConfig:
    """Options of `pretrain`."""

    encoder: EncoderConfig = option(default=EncoderConfig(), help="The encoder.")
    fit: FitConfig = option(
        default=FitConfig(epochs=8, lr=1e-2, batch_size=2048, patience=2), help="The training loop."
    )
    loss: str = option(default="sampled_softmax", choices=("sampled_softmax", "bpr"), help="What is minimised.")
    temperature: float = option(default=0.15, gt=0, help="Scores are divided by it before the loss.")
    num_negatives: int = option(default=1024, ge=1, help="Items drawn as negatives, shared by the rows of a batch.")
    negative_power: float = option(
        default=0.0, ge=0, help="Negatives are drawn by popularity to this power; 0 is uniform."
    )
    in_batch: bool = option(default=False, help="The batch's own items serve as negatives too.")
    cold_items: bool = option(
        default=False,
        help="Items without a training event are no negatives and begin at zero, so that knowledge alone places them.",
    )
    view_dropout: float = option(default=0.3, ge=0, lt=1, help="Chance that a view is switched off in a training step.")
    balance: float = option(
        default=0.7, ge=0, le=1, help="Domains are drawn by size to this power: 1 by size, 0 all alike."
    )


@config
class InheritConfig:
    """What to take over from a finished run in place of pretraining."""

    run: str | None = option(default=None, help="Folder of a finished run whose pretrained views serve this one.")
