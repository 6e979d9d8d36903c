"""Signals: each looks at a triple in its own way and gives it a score, larger for more plausible.

A further signal is one file with a class, one row here, and a section of options in
`DenoiseConfig` that has the row's name. What the class has to do is `kg_denoise.fold.Signal`.
"""

from collections.abc import Mapping

SIGNALS: Mapping[str, str] = {
    "embedding": "kg_denoise._pykeen:EmbeddingSignal",
}
