"""What a run will cost: minutes and memory of each stage, as straight lines in the sizes of the data.

A plan to decide by, not a promise: within a factor of two or three on a machine like the one
measured on, default options, one thread.
"""

from collections.abc import Mapping

from graphrec.core.types import JSON

SECONDS: Mapping[str, Mapping[str, float]] = {
    "ingest": {"fixed": 0.5, "rows": 1.2e-6, "triples": 5e-6},
    "denoise": {"triples": 7.5e-4},
    "merge": {"fixed": 0.1, "events": 2e-7, "triples": 5e-7},
    "pretrain": {"fixed": 1.0, "events": 2.8e-4, "triples": 2e-5},
    "select": {"fixed": 0.5, "target_events": 9e-4},
    "adapt": {"fixed": 4.0, "target_events": 9e-4},
    "longtail": {"fixed": 0.2, "target_events": 5e-5},
    "evaluate": {"fixed": 0.1, "scores": 2.5e-7},
    "export": {"fixed": 0.1, "users": 1e-6, "items": 1e-5},
}
"""Seconds for each unit of each size, by stage; `scores` is test users times items of the largest domain.

How they were measured: the demo (six departments, 182,000 training events, 2,444 users, 5,070 items,
26,480 triples, target NUTRITION) with `OMP_NUM_THREADS=1 graphrec run configs/demo.yaml` on one core of
an AMD EPYC; each stage's seconds stand in its manifest. They were divided by the size that drives the
stage (epochs, batches and candidates are those of the defaults); `ingest` comes from 10 million
generated rows, `denoise` from the processor time of a later run (profile quick), `adapt` from a later
run of the demo and from amazon5, whose targets have ten to a hundred times the events.
"""

BYTES: Mapping[str, Mapping[str, float]] = {
    "ingest": {"fixed": 3e8, "rows": 80, "users": 120, "items": 400, "triples": 300},
    "denoise": {"fixed": 6e8, "triples": 200, "entities": 800},
    "merge": {"fixed": 3e8, "events": 60, "triples": 100},
    "pretrain": {"fixed": 6e8, "events": 100, "views": 768, "entities": 768},
    "select": {"fixed": 6e8, "events": 60, "views": 512},
    "adapt": {"fixed": 6e8, "events": 60, "views": 512},
    "longtail": {"fixed": 5e8, "events": 60, "items": 1600},
    "evaluate": {"fixed": 5e8, "events": 40, "views": 512, "item_pairs": 8},
    "export": {"fixed": 4e8, "users": 512, "items": 900},
}
"""Bytes at the peak for each unit of each size, by stage: estimates from what each stage holds, not measurements.

`views` counts the rows of all embedding tables, users and items of every domain, 64 numbers of four
bytes each, with gradients and the two moments of Adam while they are trained; `item_pairs` are the
squared items of the largest domain, at most 20,000 of them, that EASE holds. `fixed` is the process
with its libraries loaded, with torch or without.
"""

_EASE_ITEMS = 20_000


def cost_plan(domains: list[JSON], num_rows: int, sizes: Mapping[str, int]) -> JSON:
    """Return the planned minutes and GiB of each stage, and of the whole run.

    `domains` has num_users, num_items, num_train and num_test of each domain; the largest stands in for
    the target, so that a run for any target costs no more. `sizes` has the numbers of users, items,
    entities and triples.
    """
    of = {**sizes, "fixed": 1, "rows": num_rows, **_driving(domains)}
    stages: list[JSON] = [
        {
            "stage": stage,
            "minutes": sum(value * of[name] for name, value in seconds.items()) / 60,
            "gib": sum(value * of[name] for name, value in BYTES[stage].items()) / 2**30,
        }
        for stage, seconds in SECONDS.items()
        if domains or stage in ("ingest", "denoise", "merge")
    ]
    return {
        "stages": stages,
        "minutes": sum(float(row["minutes"]) for row in stages),
        "gib": max(float(row["gib"]) for row in stages),
    }


def _driving(domains: list[JSON]) -> dict[str, int]:
    largest: int = max((d["num_items"] for d in domains), default=0)
    return {
        "events": sum(d["num_train"] for d in domains),
        "target_events": max((d["num_train"] for d in domains), default=0),
        "views": sum(d["num_users"] + d["num_items"] for d in domains),
        # A user is scored once, however many of their events are tested.
        "scores": max((min(d["num_test"], d["num_users"]) * d["num_items"] for d in domains), default=0),
        "item_pairs": min(largest, _EASE_ITEMS) ** 2,
    }
