"""What pretraining hands over: plain arrays, one user matrix per domain, so that any subset can be used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from graphrec.core import files
from graphrec.core.errors import ArtifactError
from graphrec.core.types import FloatArray

TRAIN, FULL = "train", "full"
"""The two histories: train events (to choose on validation), train and validation events (to test)."""

SOURCES = "sources"
"""Folder beside the arrays with the graph of the sources, where the run itself does not have it."""

_NAME = "pretrained"


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Embeddings of the domains that were pretrained on, all in one space of `dim` columns.

    `user_views[history][domain]` is [num_users, dim]: the user as that domain's events show them,
    a zero row where they have none. `item[history][domain]` is [num_items of the domain, dim] in
    catalogue order. `entity` is [num_entities, dim], a zero row where no item touches the entity and no
    objective over triples moved it.
    With no domains the mappings are empty and all of `entity` is zero.
    """

    domains: tuple[str, ...]
    dim: int
    user_views: Mapping[str, Mapping[str, FloatArray]]
    item: Mapping[str, Mapping[str, FloatArray]]
    entity: FloatArray

    def save(self, folder: Path) -> None:
        """Write `pretrained.safetensors` and `pretrained.json` into `folder`."""
        save_file(dict(self._arrays()), folder / f"{_NAME}.safetensors")
        files.write_json(folder / f"{_NAME}.json", {"domains": self.domains, "dim": self.dim})

    @classmethod
    def load(cls, folder: Path) -> "Pretrained":
        """Read what `save` wrote; raise `ArtifactError` when an array is missing."""
        about, arrays = files.read_json(folder / f"{_NAME}.json"), load_file(folder / f"{_NAME}.safetensors")
        domains = tuple(about["domains"])

        def part(kind: str) -> dict[str, dict[str, FloatArray]]:
            return {h: {d: arrays[f"{kind}/{h}/{d}"] for d in domains} for h in (TRAIN, FULL)}

        try:
            views, item, entity = part("user"), part("item"), arrays["entity"]
        except KeyError as error:
            raise ArtifactError(f"{folder}: {_NAME}.safetensors lacks {error}; run pretrain again") from None
        return cls(domains=domains, dim=about["dim"], user_views=views, item=item, entity=entity)

    def _arrays(self) -> Iterator[tuple[str, FloatArray]]:
        for kind, views in (("user", self.user_views), ("item", self.item)):
            for history, by_domain in views.items():
                for domain, array in by_domain.items():
                    yield f"{kind}/{history}/{domain}", np.ascontiguousarray(array, dtype=np.float32)
        yield "entity", np.ascontiguousarray(self.entity, dtype=np.float32)
