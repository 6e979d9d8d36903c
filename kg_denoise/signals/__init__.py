"""Signals: each looks at a triple in its own way and gives it one or more columns of scores.

A further signal is one file with a class, one row here, and a section of options in
`DenoiseConfig` that has the row's name. What the class has to do is `kg_denoise.fold.Signal`.
"""

from collections.abc import Mapping

SIGNALS: Mapping[str, str] = {
    "schema": "kg_denoise.signals.schema:SchemaSignal",
    "facts": "kg_denoise.signals.facts:FactsSignal",
    "collaborative": "kg_denoise.signals.collaborative:CollaborativeSignal",
    "structure": "kg_denoise.signals.structure:StructureSignal",
    "rules": "kg_denoise.signals.rules:RulesSignal",
    "ckrl": "kg_denoise.signals.ckrl:CKRLSignal",
    "embedding": "kg_denoise.signals._pykeen:EmbeddingSignal",
    "text": "kg_denoise.signals.text:TextSignal",
    "cross_encoder": "kg_denoise.signals.cross_encoder:CrossEncoderSignal",
}
"""Name -> where its class is, in the order in which they are scored."""

LATE = frozenset({"cross_encoder"})
"""Too slow for every triple: asked only for those that the others leave uncertain."""
