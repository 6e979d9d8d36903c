"""Who is where: names, roles, sizes and users of the domains. Nothing but the role depends on the role."""

from dataclasses import dataclass

import numpy as np

from graphrec.core.seeds import generator
from graphrec.core.types import IntArray
from graphrec.data.simulate.config import DISJOINT, WorldConfig

TARGET, HELPFUL, IRRELEVANT, HARMFUL = "target", "helpful", "irrelevant", "harmful"

NAMES = (
    "amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heron", "indigo", "jade", "kelp", "lotus",
    "maple", "nectar", "olive", "pearl", "quartz", "raven", "sage", "topaz", "umber", "violet", "willow", "yarrow",
    "zephyr",
)  # fmt: skip


@dataclass(frozen=True)
class Domain:
    """One domain. `users` are persons (row numbers of the world's persons), the target's come first."""

    name: str
    role: str
    users: IntArray
    num_items: int
    mean_events: float


def draw_domains(config: WorldConfig, seed: int) -> tuple[list[Domain], int]:
    """Return the target and then the sources in random order of roles, and the number of persons."""
    rng = generator(seed, "simulate", "plan")
    roles = [HELPFUL] * config.helpful + [IRRELEVANT] * config.irrelevant + [HARMFUL] * config.harmful
    names = [NAMES[i] for i in rng.permutation(len(NAMES))]
    # Persons beyond the target's form one pool, so that sources share users that the target has not.
    num_target, num_persons = config.target_users, 2 * config.target_users
    domains = [Domain(names[0], TARGET, np.arange(num_target), config.target_items, config.target_events)]
    for name, index in zip(names[1:], rng.permutation(len(roles)), strict=False):
        # Four draws whatever the role, so that sizes say nothing about it.
        overlap, outside, items, events = rng.uniform(1 - config.spread, 1 + config.spread, size=4)
        inside = round(min(1.0, config.source_overlap * overlap) * num_target)
        others = round(min(1.0, config.source_outside * outside) * num_target)
        users = np.concatenate(
            [
                rng.permutation(num_target)[:inside],
                num_target + rng.permutation(num_persons - num_target)[:others],
            ]
        )
        if config.users == DISJOINT:
            # Persons of their own: the counts stay those of the shared mode, the bridge goes.
            users = num_persons + np.arange(len(users))
            num_persons += len(users)
        sizes = max(20, round(config.source_items * items)), max(3.0, config.source_events * events)
        domains.append(Domain(name, roles[index], np.sort(users), *sizes))
    return domains, num_persons
