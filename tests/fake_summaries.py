"""Literal summaries and test scores of a whole run, small and plausible, for the report."""

from functools import partial
from itertools import product

from graphrec.core.records import Record
from graphrec.core.types import JSON
from tests.fake_run import EVIL, SEED
from tests.fake_select import SELECT

CURVES: JSON = {
    "auroc": 0.912,
    "average_precision": 0.701,
    "ece": 0.0213,
    "base_rate": 0.15,
    "precision_recall": [[r / 20, 0.98 - 0.55 * (r / 20) ** 2] for r in range(21)],
    "reliability": [[0.05 + b / 10, (0.05 + b / 10) ** 0.9, 10 * b + 3] for b in range(10)],
}

SUMMARIES: dict[str, JSON] = {
    "ingest": {
        "name": "complete journey",
        "about": "Purchases of 2,469 households; the package says that they are simulated from real patterns.",
        "truth": {"num_wrong": 2274},
        "profile": {
            "domains": [
                {
                    "domain": "garden",
                    "num_users": 843,
                    "num_items": 512,
                    "num_train": 9120,
                    "num_valid": 801,
                    "num_test": 801,
                },
                {
                    "domain": "pantry",
                    "num_users": 2402,
                    "num_items": 4410,
                    "num_train": 90211,
                    "num_valid": 0,
                    "num_test": 0,
                },
                {"domain": EVIL, "num_users": 120, "num_items": 77, "num_train": 1093, "num_valid": 90, "num_test": 90},
            ],
            "overlap": {
                "domains": ["garden", "pantry", EVIL],
                "users": [[843, 801, 12], [801, 2402, 119], [12, 119, 120]],
                "items": [[512, 0, 0], [0, 4410, 0], [0, 0, 77]],
            },
            "num_users": 2469,
            "num_items": 4999,
            "num_entities": 6100,
            "num_triples": 17_431,
            "num_links": 4999,
            "dropped": {"repeated (user, item) events": 5021, "items with fewer than 10 users": 311},
            "notes": ["15 % of the triples are wrong on purpose"],
        },
    },
    "denoise": {
        "num_triples": 17_431,
        "noise_share": 0.139,
        "signals": ["schema", "facts"],
        "said": [1.25, 0.5],
        "passed_over": ["collaborative"],
        "kinds": {"uniform": 0.1, "near": 0.039},
        "relations": [
            {
                "relation": EVIL,
                "num_triples": 9000,
                "mean_probability": 0.87,
                "num_below_half": 1210,
                "noise_share": 0.13,
            }
        ],
        "heldout": CURVES,
        "truth": {**CURVES, "auroc": 0.887, "precision_recall": [[r / 20, 0.9 - 0.5 * r / 20] for r in range(21)]},
    },
    "merge": {
        "num_user_nodes": 2469,
        "num_item_nodes": 4999,
        "num_entity_nodes": 6100,
        "num_event_edges": 101_224,
        "num_knowledge_edges": 34_058,
        "num_triples_dropped": 402,
        "events": [{"source": "user", "name": "garden", "target": "item", "num_edges": 9921, "num_valid": 801}],
    },
    "pretrain": {
        "curve": [{"epoch": e, "loss": 4 / (e + 1) + 1, "valid": 0.05 - 0.04 / (e + 1)} for e in range(20)],
        "best_epoch": 17,
        "domains": ["pantry", EVIL],
        "dim": 64,
    },
    "select": SELECT,
    "adapt": {
        "target": "garden",
        "candidates": [
            {"name": "chosen", "domains": ["pantry"], "valid_ndcg10": 0.0442, "low": 0.0398, "high": 0.0486},
            {"name": "target_only", "domains": [], "valid_ndcg10": 0.0391, "low": 0.035, "high": 0.0432},
            {"name": "all_domains", "domains": ["pantry", EVIL], "valid_ndcg10": 0.0437, "low": 0.0394, "high": 0.048},
        ],
        "shipped": "chosen",
        "best_epoch": {"base": 6, "chosen": 0, "target_only": 0, "all_domains": 0},
        "kept": 6,
        "reason": "Its gain over both guards on validation is above zero.",
        "gates": {"garden": 1.0, "pantry": 0.62, EVIL: 0.0},
        "curve": [{"epoch": e, "loss": 3 / (e + 2) + 1, "valid": 0.045 - 0.01 / (e + 1)} for e in range(8)],
    },
    "longtail": {
        "target": "garden",
        "num_items": 512,
        "num_pairs": 80_231,
        "num_items_without_vector": 2,
        "best_epoch": 3,
        "pairs": {
            "head": {"num_items": 40, "num_items_with_pairs": 40, "num_pairs": 40_231, "num_pairs_to": 30_231},
            "tail": {"num_items": 300, "num_items_with_pairs": 290, "num_pairs": 40_000, "num_pairs_to": 50_000},
        },
        "heldout": [{"group": "all", "num_pairs": 400, "before": 0.0812, "after": 0.0891}],
        "curve": [{"epoch": e, "loss": 5 / e, "valid": 0.08 + 0.003 * e} for e in range(1, 5)],
        "reason": "Epoch 3 has the best hit rate@20 on the choosing half of the validation users.",
    },
    "evaluate": {
        "domain": "garden",
        "num_users": 801,
        "num_items": 512,
        "left_out_users": 42,
        "groups": {"all": 801, "head": 401, "mid": 240, "tail": 160, "cold": 0},
        "ours": "graphrec",
        "variants": ["target_only", "all_domains"],
        "differences": [{"model": "ease", "difference": 0.0024, "low": 0.0004, "high": 0.0049}],
        "notes": [],
    },
    "export": {},
}

MODELS = {"graphrec": 1.1, "target_only": 1.0, "all_domains": 1.05, "popularity": 0.4, "rp3beta": 1.02, "ease": 1.04}
GROUPS = {"all": 1.0, "head": 1.4, "mid": 0.7, "tail": 0.3}


def scores(factors: dict[str, float] = MODELS) -> list[Record]:
    """Return scores that are a product of model, group and cut-off, so that the best is known."""
    base = {"hr": 0.08, "recall": 0.08, "ndcg": 0.04, "mrr": 0.03, "coverage": 0.15}
    record = partial(Record, stage="evaluate", domain="garden", split="test", seed=SEED)
    counts = [record(group=group, model="-", metric="num_pairs", k=0, value=100.0) for group in GROUPS]
    return counts + [
        record(
            group=group, model=model, metric=metric, k=k, value=base[metric] * factors[model] * GROUPS[group] * k / 10
        )
        for model, group, metric, k in product(factors, GROUPS, base, (10, 20, 50))
    ]
