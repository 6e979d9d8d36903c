"""Options of the signals that read: `text` compares vectors, `cross_encoder` reads both ends together."""

from graphrec.core.config import config, option
from graphrec.text.config import ReadConfig


@config
class TextConfig(ReadConfig):
    """Vectors of the ends' texts, compared."""

    max_fit: int = option(default=200_000, ge=1, help="Most triples of a relation that it is learnt from.")
    ridge: float = option(
        default=0.3, gt=0, help="Share of the mean variance added to every direction before ends are matched."
    )


@config
class CrossEncoderConfig:
    """A small language model that reads head, relation and tail together, trained to tell right from wrong."""

    model: str | None = option(
        default=None, help="Folder of a BERT-like encoder; unset: the one that graphrec[text] brings."
    )
    frozen_layers: int = option(
        default=5, ge=0, help="Lowest layers that are left as they are; they read each text once, by itself."
    )
    epochs: int = option(default=1, ge=1, help="Passes over the triples learnt from.")
    max_steps: int = option(default=3000, ge=1, help="Most steps, however many triples there are.")
    max_triples: int = option(default=2_000, ge=1, help="Most triples to learn from; of more, a sample.")
    batch_size: int = option(default=32, ge=1, help="Triples in a step, their corruptions not counted.")
    lr: float = option(default=1e-4, gt=0, help="Highest learning rate of AdamW for the layers.")
    num_negatives: int = option(default=1, ge=1, help="Corruptions per triple, new ones in every pass.")
    max_length: int = option(default=48, ge=4, help="Tokens of each end that are read.")
