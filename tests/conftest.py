"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

import graphrec  # noqa: F401 - sets what must precede torch


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data sets, from GRAPHREC_DATA; its tests skip where it is unset."""
    folder = os.environ.get("GRAPHREC_DATA")
    if not folder:
        if os.environ.get("GRAPHREC_REQUIRE_DATA"):
            pytest.fail("GRAPHREC_REQUIRE_DATA is set, but GRAPHREC_DATA is not")
        pytest.skip("GRAPHREC_DATA is not set: it names the folder that holds amazon5/, gowalla/, ...")
    return Path(folder)
