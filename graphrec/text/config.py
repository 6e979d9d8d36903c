"""How texts are read."""

from graphrec.core.config import config, option


@config
class ReadConfig:
    """Options of reading texts."""

    model: str | None = option(
        default=None,
        help="Folder of a BERT-like sentence encoder; unset: the one that graphrec[text] brings, else words alone.",
    )
    dim: int = option(default=128, ge=2, help="Length that the vectors are cut down to.")
    max_texts: int = option(
        default=20_000, ge=1, help="Most texts that the encoder reads; the last in line are placed by their words."
    )
    max_length: int = option(default=64, ge=4, help="Tokens of a text that are read.")
