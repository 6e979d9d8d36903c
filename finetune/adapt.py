"""Adapt: fit the target on the chosen sources, and ship it only where it is better than the guards.

Candidates share one code path (`fitting.py`): target_only (no source), all_domains, and the chosen subset where it is
neither. One base, the target's own encoder, serves all of them; sources come in through maps in closed form, weighed on
validation (`evidence.py`). `tune` may train on from there, every candidate with the same budget, target_only too: else
a source would get the credit for training longer. Epoch 0 is the closed form, so that training is kept only where it
helps.

Which candidate ships is for `guard.py` to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.channels import POPULARITY, strength
from finetune.config import AdaptConfig
from finetune.evidence import Subset
from finetune.fitting import Fitted, Fitting, Judged
from finetune.guard import ALL_DOMAINS, CHOSEN, TARGET_ONLY
from finetune.target import Target
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.encoders.pretrained import FULL, TRAIN
from graphrec.metrics.scorers import Arrays, hybrid_arrays

_SAMPLE = 512


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """What adapt gives. `arrays` are the tensors of `adapted.safetensors` by name."""

    shipped: str
    arrays: Arrays
    summary: JSON


def adapt(
    target: Target,
    chosen: Subset,
    config: AdaptConfig,
    *,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
) -> Adapted:
    """Fit the candidates, let the guard decide, and encode users and items for the test.

    What goes together is counted item by item where that gains more than its standard error on validation, and brings
    no source in that validation is not sure of.
    `arrays` holds what `hybrid_scorer` reads of the shipped model, of each guard (`target_only.user`, ...) and of what
    would ship as vectors alone (`vectors.user`, ...): the history is train and validation events, the last column
    popularity. `train.item` and `full.item` are the unit vectors of the target's own items, by history, for later
    choices. A killed call goes on from `workspace`.
    """
    fitting = Fitting(target, config, seed, workspace, tracker)
    base, first = fitting.base(TRAIN)
    candidates, evidence = fitting.candidates(base, subsets(target, chosen))
    vectors = Judged(candidates=candidates, decision=fitting.decision(candidates))
    ships, reason = fitting.counts_or(vectors, evidence)
    plain = fitting.final(first.best_epoch, candidates, evidence.ridge if evidence else 1.0)
    final, shipped = fitting.counting(plain, ships), ships.decision.shipped
    used = {"": shipped} | {f"{name}.": name if name in final else TARGET_ONLY for name in (TARGET_ONLY, ALL_DOMAINS)}
    models = {prefix: final[name] for prefix, name in used.items()} | {"vectors.": plain[vectors.decision.shipped]}
    together = counted_domains(models)
    arrays: dict[str, NDArray[np.generic]] = model_arrays(target, models, together)
    num_users = target.graph.num_users
    some = np.linspace(0, num_users - 1, min(num_users, _SAMPLE)).astype(np.int64)
    view = final[shipped].view(target, FULL, some)
    arrays["full.item"] = view.item
    arrays["train.item"] = ships.shipped.fitted.view(target, TRAIN, some).item
    channels = view.channels(final[shipped].parts, final[shipped].weight)
    summary = {
        "target": target.domain,
        "candidates": [{**row, "domains": list(candidates[row["name"]].subset)} for row in ships.decision.rows],
        "shipped": shipped,
        "reason": reason,
        "gates": dict.fromkeys(target.sources, 0.0)
        | strength(channels, final[shipped].weight, len(some), target.num_items),
        "together": [name or target.domain for name in together],
        "saturation": ships.saturation,
        "best_epoch": {"base": first.best_epoch} | {name: c.epochs for name, c in candidates.items()},
        "popularity": {name: c.fitted.weight[POPULARITY] for name, c in ships.candidates.items()},
        "refit": config.refit,
        "curve": _joined(first.curve, candidates[shipped].curve),
        "kept": len(first.curve) + candidates[shipped].epochs if candidates[shipped].epochs else first.best_epoch,
    }
    return Adapted(shipped=shipped, arrays=arrays, summary=summary)


def counted_domains(models: Mapping[str, Fitted]) -> tuple[str, ...]:
    """Return the domains, `""` being the target, of which a model counts what goes together item by item."""
    parts = next(iter(models.values())).parts
    return tuple(name for name in parts.counts if any(model.share(name) for model in models.values()))


def model_arrays(
    target: Target, models: Mapping[str, Fitted], together: Sequence[str]
) -> dict[str, NDArray[np.generic]]:
    """Return what `hybrid_scorer` reads of each model, by prefix; `together` are the domains that shares are of.

    All of them have the same counts, or none.
    """
    made: dict[str, NDArray[np.generic]] = {}
    # One model often stands under several names; all users are encoded for each one once.
    vectors = {id(model): model for model in models.values()}
    encoded = {key: model.vectors(target) for key, model in vectors.items()}
    for prefix, model in models.items():
        user, item = encoded[id(model)]
        share = np.array([model.share(name) for name in together], dtype=np.float32)
        made |= {f"{prefix}user": user, f"{prefix}item": item, f"{prefix}share": share}
    counts, every = next(iter(models.values())).parts.counts, target.everywhere(FULL)
    return made | hybrid_arrays([counts[name].together(every[name]) for name in together])


def subsets(target: Target, chosen: Subset) -> dict[str, Subset]:
    """Return the candidates by name, target-only first; nothing is listed twice."""
    assert set(chosen) <= set(target.sources)
    named = {TARGET_ONLY: (), ALL_DOMAINS: target.sources, CHOSEN: chosen}
    distinct: dict[str, Subset] = {}
    for name, domains in named.items():
        if set(domains) not in map(set, distinct.values()):
            distinct[name] = domains
    return distinct


def _joined(first: list[JSON], second: list[JSON]) -> list[JSON]:
    return [*first, *({**row, "epoch": len(first) + row["epoch"]} for row in second)]
