"""The transfer model: the target's own encoder, and a head that adds the frozen views of source domains.

    z(u) = normalise( v(u) + sum over chosen sources d of  gate_d * (1 + n_u)^-slope_d * view_d(u) W_d )

v(u) is the user's view of the target itself, made of the n_u events of theirs that are looked at;
`slope` lets a user with few events lean more on the sources. Scores are cosines with the target's
item vectors. W_d begins at zero, so the head begins as target-only; with no sources it is target-only.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from finetune.config import ModelConfig
from finetune.target import Target
from graphrec.core.types import FloatArray, IntArray
from graphrec.encoders.base import Nodes
from graphrec.encoders.domain_views import DomainViews
from graphrec.encoders.pretrained import TRAIN
from graphrec.encoders.unit import unit
from graphrec.graph.histories import Bags
from graphrec.metrics.popularity import popularity_prior, with_prior
from graphrec.metrics.scorers import VectorScorer

_BLOCK = 8192  # users encoded at a time
_SHORT = 0.1  # length of what sources add below which a user without own events is not made a unit vector


class Head(torch.nn.Module):
    """Adds gated, mapped source views to own views. `map` is [num_sources, view_dim, dim]."""

    def __init__(self, num_sources: int, view_dim: int, dim: int) -> None:
        super().__init__()
        self.map = torch.nn.Parameter(torch.zeros(num_sources, view_dim, dim))
        self.gate = torch.nn.Parameter(torch.ones(num_sources))
        self.slope = torch.nn.Parameter(torch.zeros(num_sources))

    def forward(self, own: torch.Tensor, count: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
        """Return unit user vectors `[num_rows, dim]`, shorter ones where sources alone speak and say next to nothing.

        `own` is [num_rows, dim], `count` [num_rows] the events behind it, `views`
        [num_rows, num_sources, view_dim].
        """
        return unit(own + self.added(count, views).sum(dim=1), _SHORT)

    def added(self, count: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
        """Return what each source adds, `[num_rows, num_sources, dim]`."""
        weight = self.gate * torch.exp(-self.slope * torch.log1p(count)[:, None])  # [num_rows, num_sources]
        return weight[:, :, None] * torch.einsum("rsv,svd->rsd", views, self.map)


class Transfer(torch.nn.Module):
    """The whole model for one set of source `domains`."""

    def __init__(self, target: Target, domains: Sequence[str], config: ModelConfig, seed: int) -> None:
        super().__init__()
        self.target, self.domains = target, tuple(domains)
        # With one domain there is nothing to gate.
        self.encoder = DomainViews(
            target.graph, target.histories(TRAIN), (target.domain,), replace(config.encoder, gate=1.0), seed
        )
        self.head = Head(len(self.domains), target.view_dim, config.encoder.dim)

    def parameters_by_name(self) -> dict[str, torch.nn.Parameter]:
        """Return what is trained: all but the encoder's own gate, which has nothing to weigh with one domain."""
        return {n: p for n, p in self.named_parameters() if n != "encoder.gate" and p.numel()}

    def source_views(self, users: IntArray, history: str) -> FloatArray:
        """Return the frozen views of the model's domains for `users`, `[len(users), num_sources, view_dim]`."""
        return stack_views(self.target, self.domains, users, history)

    def users(self, nodes: Nodes, bags: Bags, views: FloatArray) -> torch.Tensor:
        """Return unit user vectors for rows whose own events are in `bags`, `[num_rows, dim]`."""
        own = self.encoder.views(nodes, bags)[:, 0]
        count = torch.from_numpy(bag_sizes(bags)).to(own)
        return self.head(own, count, torch.from_numpy(views).to(own))  # type: ignore[no-any-return]

    @torch.no_grad()
    def user_vectors(self, history: str, users: IntArray | None = None) -> FloatArray:
        """Return unit vectors of all users, or zero rows but for `users`, `[num_users, dim]`.

        A user without any event has a zero row.
        """
        histories, nodes = self.target.histories(history), self.encoder.nodes()
        rows = np.arange(histories.num_users) if users is None else users
        z = np.zeros((histories.num_users, self.encoder.dim), dtype=np.float32)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            bags = histories.latest(block, self.encoder.reach)
            z[block] = self.users(nodes, bags, self.source_views(block, history)).cpu().numpy()
        return z

    @torch.no_grad()
    def item_vectors(self) -> FloatArray:
        """Return unit vectors of the target's catalogue, `[num_items, dim]`."""
        items = torch.arange(self.target.num_items, device=self.encoder.gate.device)
        return np.asarray(self.encoder.offered(self.encoder.nodes(), items).cpu().numpy(), dtype=np.float32)

    def scorer(self, history: str, popularity: float, users: IntArray | None = None) -> VectorScorer:
        """Return the scorer of `users`, of all without; `popularity` is the weight of an item's events in `history`."""
        count = np.bincount(self.target.histories(history).item, minlength=self.target.num_items)
        prior = popularity_prior(count, popularity)
        return with_prior(self.user_vectors(history, users), self.item_vectors(), prior)

    @torch.no_grad()
    def gates(self, history: str) -> dict[str, float]:
        """Return the mean length of what each source adds to the target's users that it knows; an own view has 1."""
        histories = self.target.histories(history)
        users = np.unique(histories.user).astype(np.int64)
        views = self.source_views(users, history)
        count = bag_sizes(histories.latest(users, self.encoder.reach))
        device = self.encoder.gate.device
        added = self.head.added(torch.from_numpy(count).to(device).float(), torch.from_numpy(views).to(device))
        length = added.norm(dim=2).cpu().numpy()  # [num_users, num_sources]
        found = {}
        for place, domain in enumerate(self.domains):
            has = np.flatnonzero(views[:, place].any(axis=1))
            found[domain] = float(length[has, place].mean()) if len(has) else 0.0
        return found


def stack_views(target: Target, domains: Sequence[str], users: IntArray, history: str) -> FloatArray:
    """Return the frozen views of `domains` for `users`, `[len(users), len(domains), view_dim]`."""
    stacked = np.empty((len(users), len(domains), target.view_dim), dtype=np.float32)
    for place, domain in enumerate(domains):
        stacked[:, place] = target.views[history][domain][users]
    return stacked


def bag_sizes(bags: Bags) -> IntArray:
    """Return the number of items in each list of `bags`."""
    return np.diff(bags.start, append=len(bags.item)).astype(np.int64)
