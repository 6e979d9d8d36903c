"""Begin where an earlier run ended: what both runs know keeps its vector, what is new starts as usual.

An earlier run leaves the parameters of its encoder in `encoder.safetensors`, rows of items first, then
of entities. They are matched by external id; domains and relations by name. Users have no vectors there:
those of `lightgcn` begin from the items taken over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from graphrec.core import files
from graphrec.core.artifacts import RunFolder
from graphrec.core.errors import ConfigError, DataError
from graphrec.core.progress import logger
from graphrec.core.types import JSON, IntArray
from graphrec.data.dataset import Dataset, load_dataset
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.training.checkpoint import save_tensors
from pretrain.inherit import known_rows

_FILE, _ABOUT = "encoder.safetensors", "encoder.json"
_BY_DOMAIN = {"gate": True, "log_recency": False}
"""Parameters with a row per domain, and whether the columns are domains too."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """Parameters of an earlier encoder of `kind` and `domains`; `row` [num_nodes] is that of each node there, or -1."""

    run: str
    kind: str
    domains: tuple[str, ...]
    tensors: Mapping[str, torch.Tensor]
    row: IntArray

    @classmethod
    def of(cls, run: str, data: Dataset) -> "Start":
        """Read what the finished run in the folder `run` left, for the nodes of `data`.

        Raises `ArtifactError` when it left nothing, `DataError` when it knows no item of `data`.
        """
        base = RunFolder.open(Path(run))
        artifact, known = base.current("pretrain"), load_dataset(base.current("ingest").path)
        about = files.read_json(artifact.file(_ABOUT))
        with safe_open(artifact.file(_FILE), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        items, entities = known_rows(known.items, data.items), known_rows(known.entities, data.entities)
        if not (items >= 0).any():
            raise DataError(f"pretrain.start_from: {run} knows no item of this data set; are ids written the same way?")
        row = np.concatenate([items, np.where(entities >= 0, entities + len(known.items), -1)])
        return cls(run=run, kind=about["kind"], domains=tuple(about["domains"]), tensors=tensors, row=row)

    @torch.no_grad()
    def put_into(self, encoder: MultiDomainEncoder, kind: str) -> JSON:
        """Write the earlier vectors into `encoder` and return what was taken over.

        Raises `ConfigError` when the encoder is of another kind or dim.
        """
        taken = torch.from_numpy(np.flatnonzero(self.row >= 0))
        old = torch.from_numpy(self.row)[taken]
        for name, table in _tables(encoder).items():
            self._check(name, table, kind)
            table[taken.to(table.device)] = self.tensors[name][old].to(table.device)
        pairs = [(n, self.domains.index(d)) for n, d in enumerate(encoder.domains) if d in self.domains]
        for name, both in _BY_DOMAIN.items():
            if pairs and hasattr(encoder, name) and name in self.tensors:
                _put_domains(getattr(encoder, name), self.tensors[name], pairs, both=both)
        for name, value in encoder.others().items():
            if name in self.tensors and self.tensors[name].shape == value.shape:
                value.copy_(self.tensors[name])
        encoder.restarted()
        logger.info("pretrain: starts from %s, %d of %d vectors known", self.run, len(taken), len(self.row))
        return {"run": self.run, "nodes_known": len(taken), "nodes": len(self.row), "domains_known": len(pairs)}

    def _check(self, name: str, table: torch.Tensor, kind: str) -> None:
        dim = self.tensors[name].shape[1] if name in self.tensors else None
        if self.kind != kind or dim != table.shape[1]:
            raise ConfigError(
                f"pretrain.start_from: {self.run} has an encoder of kind {self.kind} and dim {dim}, this run one of "
                f"kind {kind} and dim {table.shape[1]}; they must be the same"
            )


def save_encoder(folder: Path, parameters: Mapping[str, torch.Tensor], kind: str, domains: Sequence[str]) -> None:
    """Leave in `folder` what `Start.of` reads."""
    save_tensors(folder / _FILE, dict(parameters))
    files.write_json(folder / _ABOUT, {"kind": kind, "domains": list(domains)})


def parameters_to_keep(encoder: MultiDomainEncoder) -> dict[str, torch.Tensor]:
    """Return the parameters that a later run can start from, by the names which `Start` looks for."""
    by_domain = {name: getattr(encoder, name).detach() for name in _BY_DOMAIN if hasattr(encoder, name)}
    return {**_tables(encoder), **by_domain, **encoder.others()}


def _tables(encoder: MultiDomainEncoder) -> dict[str, torch.Tensor]:
    tables = {id(table) for table in encoder.item_parameters()}
    return {name: p.detach() for name, p in encoder.named_parameters() if id(p) in tables}


def _put_domains(made: torch.Tensor, old: torch.Tensor, pairs: Sequence[tuple[int, int]], *, both: bool) -> None:
    # `both`: the columns are domains too; otherwise as many of them as both have.
    new_row, old_row = (torch.tensor(rows) for rows in zip(*pairs, strict=True))
    if both:
        made[new_row[:, None], new_row] = old[old_row[:, None], old_row].to(made.device)
        return
    columns = min(made.shape[1], old.shape[1])
    made[new_row, :columns] = old[old_row, :columns].to(made.device)
