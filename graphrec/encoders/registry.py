"""The encoders of pretraining by name."""

from importlib import import_module
from typing import cast

from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.config import EncoderConfig
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Histories

ENCODERS = {
    "views": "graphrec.encoders.domain_views:DomainViews",
    "lightgcn": "graphrec.encoders.lightgcn:LightGCN",
    "kg_attention": "graphrec.encoders.kg_attention:KGAttention",
    "hetero": "graphrec.encoders.hetero:Hetero",
    "text": "graphrec.encoders.text:Text",
}
"""Name -> class. A new one = one file, one row, and its name among the choices of `EncoderConfig.kind`."""


def make_encoder(
    graph: MultiDomainGraph, histories: Histories, domains: tuple[str, ...], options: EncoderConfig, seed: int
) -> MultiDomainEncoder:
    """Make the encoder `options.kind`; `histories` are the train events of `domains`."""
    module, _, attribute = ENCODERS[options.kind].partition(":")
    made = getattr(import_module(module), attribute)(graph, histories, domains, options, seed)
    return cast(MultiDomainEncoder, made)
