"""Fixtures shared by all tests."""

import os
import sys
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # One thread each, here and in every command that a test starts: workers would fight for the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import graphrec  # noqa: F401 - sets what must precede torch

LONGEST = ("test_pipeline.py", "test_distributed.py", "test_sweep.py", "test_anchors.py", "test_regimes.py")
"""Files that take longest: they go first, so that no worker is left alone with one at the end."""


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data sets, from GRAPHREC_DATA; its tests skip where it is unset."""
    folder = os.environ.get("GRAPHREC_DATA")
    if not folder:
        if os.environ.get("GRAPHREC_REQUIRE_DATA"):
            pytest.fail("GRAPHREC_REQUIRE_DATA is set, but GRAPHREC_DATA is not")
        pytest.skip("GRAPHREC_DATA is not set: it names the folder that holds amazon5/, gowalla/, ...")
    return Path(folder)


if os.environ.get("GRAPHREC_WITHOUT_DGL"):
    # The suite runs once as it would where dgl has no wheel.
    sys.modules["dgl"] = None  # type: ignore[assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, else in order."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where the data must be there (CI), a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("GRAPHREC_REQUIRE_DATA") and not os.environ.get("GRAPHREC_WITHOUT_DGL"):
        reporter.write_line(f"{len(skipped)} skipped tests, but GRAPHREC_REQUIRE_DATA allows none", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
