"""Cut clean events into train, valid and test. One kind of split, one function, one row.

*leave_last_out*: per (user, domain) the last event is the test, the one before it the validation.
It evaluates most users, but an event of one domain may be later than another domain's test event.
*global_time*: one pair of dates for all domains. Nothing that is trained on is later than what is
predicted, but a user who first appears in a domain after the first date cannot be evaluated there.
*random*: each event by chance; later events may predict earlier ones. Only to compare with others.
*given*: the tables say it; where they name no validation, it is carved out of train by chance.
*cold_users*: some users lose all their events in the domain, or all but the first few (k-shot).
*cold_items*: some items lose all their events, in every domain that has them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.errors import DataError
from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, IntArray
from graphrec.data.clean import domain_slices, segments
from graphrec.data.config import COLD_ITEMS, COLD_USERS, GIVEN, GLOBAL_TIME, LEAVE_LAST_OUT, RANDOM, SplitConfig
from graphrec.data.dataset import TEST, TRAIN, VALID

LEFT_OUT = "left_out"
"""In no part: events of users unseen before a date, of held-out items elsewhere, and what would give others away."""

PARTS = (TRAIN, VALID, TEST, LEFT_OUT)
"""Names of the parts; the column `split` of numbered events counts positions here."""

UNSAID = 255
"""Value of `split` before the cut, where the tables say nothing."""

_TRAIN, _VALID, _TEST, _LEFT_OUT = range(len(PARTS))

Parts = NDArray[np.uint8]
S = TypeVar("S", bound=np.generic)


def split_events(events: pl.DataFrame, domains: Sequence[str], config: SplitConfig, *, seed: int) -> Parts:
    """Return the position in `PARTS` of each event of `events`, `[num_events]`.

    `events` has the columns of `clean.EVENTS`, sorted by domain, user, order, a (user, item, domain) once,
    so that a held-out item is never one that the user already has. Raises `DataError` when a
    domain to cut is unknown, when a table that must say its split does not, or when nothing is
    left to test on.
    """
    unknown = sorted(set(config.domains) - set(domains))
    if unknown:
        raise DataError(f"ingest.split.domains: no domain {', '.join(unknown)}; known domains: {', '.join(domains)}")
    if not events.height:
        return np.zeros(0, dtype=np.uint8)
    parts = _KINDS[config.kind](cut := _Cut(events, domains, segments(events), config, seed))
    if config.domains:
        parts[~cut.is_cut(np.arange(events.height)) & (parts != _LEFT_OUT)] = _TRAIN
    # By default, small data that cannot be tested on may still be looked at; what was asked for must be had.
    if config.kind != LEAVE_LAST_OUT and not (parts == _TEST).any():
        raise DataError(f"ingest.split.kind={config.kind}: no test event comes out of it; {_WHY_EMPTY[config.kind]}")
    for name, rows in zip(domains, domain_slices(events, len(domains)), strict=True):
        if (parts[rows] == _TEST).any() and not (parts[rows] == _TRAIN).any():
            raise DataError(
                f"ingest.split.kind={config.kind}: nothing to train on is left in {name!r}; take smaller shares"
            )
    return parts


@dataclass(frozen=True)
class _Cut:
    """What every kind of split sees; `begin` holds where each (domain, user) begins, and the end."""

    events: pl.DataFrame
    domains: Sequence[str]
    begin: IntArray
    config: SplitConfig
    seed: int

    @property
    def sizes(self) -> IntArray:
        return np.diff(self.begin)

    def is_cut(self, rows: IntArray) -> BoolArray:
        """Return which of `rows` lie in a domain that is cut."""
        wanted = [self.domains.index(name) for name in self.config.domains or self.domains]
        return np.isin(self.events["domain"].to_numpy()[rows], wanted)

    def fresh(self) -> Parts:
        return np.full(self.events.height, _TRAIN, dtype=np.uint8)

    def per_event(self, by_segment: NDArray[S]) -> NDArray[S]:
        return np.repeat(by_segment, self.sizes)

    def rng(self, *names: str) -> np.random.Generator:
        return generator(self.seed, "split", self.config.kind, *names)

    def hold_out(self, candidates: IntArray, num: int, *names: str) -> Parts:
        """Return the part of each of `num` users or items; the shares are those of the candidates, one at least."""
        order, drawn = self.rng(*names).permutation(candidates), np.full(num, _TRAIN, dtype=np.uint8)
        num_test, num_valid = (
            max(1, round(share * len(order))) for share in (self.config.test_share, self.config.valid_share)
        )
        drawn[order[:num_test]], drawn[order[num_test : num_test + num_valid]] = _TEST, _VALID
        return drawn


def _leave_last_out(cut: _Cut) -> Parts:
    parts, end = cut.fresh(), cut.begin[1:][cut.sizes >= cut.config.min_events]
    parts[end - 1], parts[end - 2] = _TEST, _VALID
    return parts


def _global_time(cut: _Cut) -> Parts:
    order, config = cut.events["order"], cut.config
    if config.domains:
        raise DataError("ingest.split.domains: one date cuts all domains, or a source would know the target's future")
    first = order.quantile(1 - config.test_share - config.valid_share, "lower")
    second = order.quantile(1 - config.test_share, "lower")
    time = order.to_numpy()
    early = time <= first
    known = cut.per_event(np.logical_or.reduceat(early, cut.begin[:-1]))
    parts = np.where(time > second, _TEST, _VALID).astype(np.uint8)
    parts[early] = _TRAIN
    parts[~early & ~known] = _LEFT_OUT
    return parts


def _random(cut: _Cut) -> Parts:
    shares = [cut.config.test_share, cut.config.test_share + cut.config.valid_share]
    drawn = cut.rng().random(cut.events.height, dtype=np.float32)
    parts = np.asarray([_TEST, _VALID, _TRAIN], dtype=np.uint8)[np.searchsorted(shares, drawn, side="right")]
    # A user's first event is always known, so that nobody is tested without any history.
    parts[cut.begin[:-1]] = _TRAIN
    return parts


def _given(cut: _Cut) -> Parts:
    parts = cut.events["split"].to_numpy(writable=True)
    if (parts[cut.is_cut(np.arange(len(parts)))] == UNSAID).any():
        raise DataError(
            "ingest.split.kind=given: some interaction tables do not say their split; "
            "set `split` (a column) or `as_split` (one part) for each of them"
        )
    if not (parts == _VALID).any():
        drawn = cut.rng().random(len(parts), dtype=np.float32) < cut.config.valid_share
        drawn[cut.begin[:-1]] = False
        parts[drawn & (parts == _TRAIN)] = _VALID
    return parts


def _cold_users(cut: _Cut) -> Parts:
    if not cut.config.domains:
        raise DataError("ingest.split.kind=cold_users: name the domain whose users go cold in ingest.split.domains")
    user, sizes = cut.events["user"].to_numpy()[cut.begin[:-1]], cut.sizes
    # Without shots a held-out user is known by other domains alone, so there must be one.
    usable = (sizes > cut.config.shots) & cut.is_cut(cut.begin[:-1])
    if not cut.config.shots:
        usable &= np.isin(user, user[~cut.is_cut(cut.begin[:-1])])
    drawn = np.where(usable, cut.hold_out(np.unique(user[usable]), int(user.max()) + 1)[user], _TRAIN)
    place = np.arange(cut.events.height) - cut.per_event(cut.begin[:-1])
    parts: Parts = np.where(place < cut.config.shots, _TRAIN, cut.per_event(drawn)).astype(np.uint8)
    return parts


def _cold_items(cut: _Cut) -> Parts:
    item = cut.events["item"].to_numpy()
    num = int(item.max()) + 1
    lot, drawn = np.full(num, _TRAIN, dtype=np.uint8), np.zeros(num, dtype=np.bool_)
    for name, rows in zip(cut.domains, domain_slices(cut.events, len(cut.domains)), strict=True):
        # An item of several domains has one lot, or one domain would know what is cold in another.
        fresh = np.unique(item[rows][~drawn[item[rows]]])
        if len(fresh) and (name in cut.config.domains or not cut.config.domains):
            lot[fresh] = cut.hold_out(fresh, num, name)[fresh]
            drawn[fresh] = True
    parts: Parts = lot[item]
    parts[~cut.is_cut(np.arange(len(item))) & (parts != _TRAIN)] = _LEFT_OUT
    return parts


_KINDS: dict[str, Callable[[_Cut], Parts]] = {
    LEAVE_LAST_OUT: _leave_last_out,
    GLOBAL_TIME: _global_time,
    RANDOM: _random,
    GIVEN: _given,
    COLD_USERS: _cold_users,
    COLD_ITEMS: _cold_items,
}

_WHY_EMPTY = {
    GLOBAL_TIME: "no user has events on both sides of the cut; take leave_last_out or other shares",
    RANDOM: "there are too few events; take a larger ingest.split.test_share",
    GIVEN: "no table or row says `test`",
    COLD_USERS: "no user of the named domains has events elsewhere (or more than ingest.split.shots there)",
    COLD_ITEMS: "there are too few items; take a larger ingest.split.test_share",
}


def held_out(parts: Parts) -> BoolArray:
    """Return which events are validation or test."""
    held: BoolArray = (parts == _VALID) | (parts == _TEST)
    return held
