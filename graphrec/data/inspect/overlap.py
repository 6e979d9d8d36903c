"""Which users and items domains have in common, and what one id means in two of them, said loudly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.ids import IdMap
from graphrec.core.types import JSON

LARGE_OVERLAP = 0.05
"""From this share of equal ids on, ids said to be of one domain each look as if they were shared."""

_SAMPLED = 2_000_000


@dataclass(frozen=True)
class Membership:
    """Who is in which domain: a bit for each id, `[num_domains, ceil(num / 8)]`, and in how many each is, `[num]`."""

    bits: NDArray[np.uint8]
    count: NDArray[np.uint16]

    @classmethod
    def of(cls, members: Sequence[NDArray[np.int32]], num: int) -> "Membership":
        """Collect the members of each domain, ids below `num`; repeats count once."""
        bits = np.zeros((len(members), (num + 7) // 8), dtype=np.uint8)
        count = np.zeros(num, dtype=np.uint16)
        for row, ids in zip(bits, members, strict=True):
            seen = np.zeros(num, dtype=np.bool_)
            seen[ids] = True
            row[:] = np.packbits(seen)
            count += seen
        return cls(bits, count)

    def overlap(self) -> list[list[int]]:
        """Return how many ids each two domains have in common; on the diagonal, how many a domain has."""
        return [[int(np.bitwise_count(one & other).sum()) for other in self.bits] for one in self.bits]

    def spread(self) -> list[int]:
        """Return how many ids are in one domain, in two, and so on."""
        return np.bincount(self.count, minlength=2)[1:].tolist() if len(self.count) else []


def identity(ids: IdMap, members: Membership, domains: Sequence[str]) -> JSON:
    """Say in one sentence what an id of two domains means, with an example, and warn where the data speak against it.

    `num_common` counts the ids that occur in two or more domains, whatever they mean there, of
    `num_listed`.
    """
    space = "per_domain" if ids.is_scoped else "shared"
    num, listed, example = _common_scoped(ids) if ids.is_scoped else _common_shared(ids, members, domains)
    return {
        "kind": ids.kind,
        "space": space,
        "num_common": num,
        "num_listed": listed,
        "text": _sentence(ids.kind, space, num, example or ("17", *domains[:2]), len(domains)),
        "warning": _warning(ids.kind, space, num, listed) if len(domains) > 1 else "",
    }


def _common_shared(
    ids: IdMap, members: Membership, domains: Sequence[str]
) -> tuple[int, int, tuple[str, str, str] | None]:
    common = members.count > 1
    if not common.any():
        return 0, len(common), None
    first = int(np.argmax(common))
    one, two = np.flatnonzero(members.bits[:, first // 8] & (128 >> first % 8))[:2].tolist()
    return int(common.sum()), len(common), (str(ids.table["id"][first]), domains[one], domains[two])


def _common_scoped(ids: IdMap) -> tuple[int, int, tuple[str, str, str] | None]:
    """Count ids that stand in two scopes; of very many ids, a share by hash is looked at and scaled."""
    share = max(len(ids) // _SAMPLED, 1)
    listed = ids.table.lazy().filter(pl.col("id").hash(0) % share == 0)
    found = listed.group_by("id").agg(pl.len(), pl.col("scope").sort().head(2)).sort("id").collect()
    common = found.filter(pl.col("len") > 1)
    example = (str(common["id"][0]), *common["scope"][0].to_list()) if common.height else None
    return common.height * share, found.height * share, example


def _sentence(kind: str, space: str, num: int, example: tuple[str, ...], num_domains: int) -> str:
    if num_domains < 2:
        return f"{kind}_ids: {space}, which says nothing here: there are not two domains."
    one, two = ("one person", "two persons") if kind == "user" else ("one item", "two items")
    start = f"{kind}_ids: {space}: id {example[0]} in `{example[1]}` and in `{example[2]}` is"
    found = f"{num:,} ids are in two or more domains"
    return f"{start} {one}; {found}." if space == "shared" else f"{start} {two}; {found}."


def _warning(kind: str, space: str, num: int, listed: int) -> str:
    if space == "shared" and not num and kind == "user":
        return (
            "shared, but no user id is in two domains, so nothing carries over through users. If there are common "
            "users, see that their ids are written alike (spaces, leading zeros); if not, say user_ids: per_domain"
        )
    if space == "per_domain" and num > LARGE_OVERLAP * listed:
        return (
            f"per_domain, but {num:,} of {listed:,} {kind} ids are in two or more domains; if that is no accident of "
            f"counting from 0, say {kind}_ids: shared"
        )
    return ""
