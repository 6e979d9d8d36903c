"""Progress a person reads: a bar with ETA on a terminal, a line every ten seconds elsewhere."""

import logging
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")

console = Console(stderr=True)
"""Where progress and log lines go; results go to standard output."""

logger = logging.getLogger("graphrec")

_LINE_EVERY = 10.0


def track(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield `items`, showing how far along they are. `total` defaults to `len(items)` where it has one."""
    count = total if total is not None else len(items) if isinstance(items, Sized) else None
    yield from _bar(items, label, count) if console.is_terminal else _lines(items, label, count)


def _bar(items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(items, total=total, description=label)


def _lines(items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last >= _LINE_EVERY:
            last = now
            left = f", about {(now - start) / done * (total - done):.0f} s left" if total and done else ""
            logger.info("%s: %d of %s%s", label, done, total or "?", left)
        yield item
