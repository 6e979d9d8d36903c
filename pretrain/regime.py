"""Whether a training step looks at all nodes or at those of its batch alone.

full      every step propagates over all nodes; dense Adam
sampled   a step reads the rows of its batch and of neighbours drawn around them; `RowAdam` moves these rows
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from graphrec.core import files
from graphrec.core.errors import ConfigError
from graphrec.core.memory import available_memory
from graphrec.core.progress import logger
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.encoders.base import MultiDomainEncoder

_SHARE = 0.7  # of the memory left that the full regime may take
_GIB = 2.0**30


@dataclass(frozen=True, kw_only=True)
class Regime:
    """What was chosen, `full` or `sampled`, why, and the bytes that `full` would take beside the graph."""

    name: str
    why: str
    full_bytes: int

    @property
    def sampled(self) -> bool:
        """Whether a step looks at its batch alone."""
        return self.name == "sampled"

    def summary(self) -> JSON:
        """Return what the report shows."""
        return {"name": self.name, "why": self.why, "full_gib": round(self.full_bytes / _GIB, 3)}


def choose_regime(asked: str, encoder: MultiDomainEncoder, needs_all: Sequence[str], workspace: Workspace) -> Regime:
    """Return the regime that is `asked` for, or for `auto` the one that fits, and say so.

    A choice stands in `workspace`, so that a resumed run makes the same one whatever memory is left.
    Raises `ConfigError` when `sampled` is asked for although something `needs_all` nodes.
    """
    needed = full_bytes(encoder)
    if asked == "sampled" and needs_all:
        raise ConfigError(f"pretrain.regime: sampled does not go with {', '.join(needs_all)}; use full or auto")
    if asked == "auto":
        regime = _fitting(workspace, needed, needs_all)
    else:
        regime = Regime(name=asked, why="asked for", full_bytes=needed)
    logger.info("pretrain: regime %s, %s", regime.name, regime.why)
    return regime


def full_bytes(encoder: MultiDomainEncoder) -> int:
    """Return about how many bytes `full` takes beside the parameters: gradients, two moments, the best copy, a step."""
    parameters = sum(p.numel() * p.element_size() for p in encoder.parameters())
    return 4 * parameters + encoder.step_bytes()


def _fitting(workspace: Workspace, needed: int, needs_all: Sequence[str]) -> Regime:
    file = workspace.path / "regime.json"
    if file.exists():
        return Regime(**files.read_json(file))
    left = _memory_left()
    fits = left is None or needed <= _SHARE * left
    why = f"all nodes take about {needed / _GIB:.1f} GiB" + ("" if left is None else f" of {left / _GIB:.1f} left")
    if not fits and needs_all:
        why += f", and these need all in every step: {', '.join(needs_all)}"
        logger.warning("pretrain: %s", why)
    regime = Regime(name="full" if fits or needs_all else "sampled", why=why, full_bytes=needed)
    files.write_json(file, vars(regime))
    return regime


def _memory_left() -> int | None:
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else available_memory()
