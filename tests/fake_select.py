"""A literal summary of select, for the report: two sources, all four subsets tried, one source chosen."""

from graphrec.core.types import JSON
from tests.fake_run import EVIL

SELECT: JSON = {
    "target": "garden",
    "sources": ["pantry", EVIL],
    "trials": [
        {"domains": [], "value": 0.0391, "standard_error": 0.0, "gain": 0.0},
        {"domains": ["pantry"], "value": 0.0442, "standard_error": 0.0011, "gain": 41.27},
        {"domains": [EVIL], "value": 0.0388, "standard_error": 0.0005, "gain": -3.4},
        {"domains": ["pantry", EVIL], "value": 0.0437, "standard_error": 0.0012, "gain": 37.9},
    ],
    "chosen": ["pantry"],
    "reason": "pantry alone scored highest on validation.",
    "by_source": [
        {
            "source": EVIL,
            "chosen": False,
            "shapley": -0.0004,
            "low": -0.0013,
            "high": 0.0005,
            "users_z": 0.0,
            "cross_z": 0.0,
            "entities_z": 0.41,
            "screens": {
                "users": 0.0142,
                "entities": 0.0,
                "logme": -1.2034,
                "h_score": 0.118,
                "cka": 0.02,
                "graph": 0.004,
                "gradient": -0.1106,
            },
        },
        {
            "source": "pantry",
            "chosen": True,
            "shapley": 0.005,
            "low": 0.0029,
            "high": 0.0071,
            "users_z": 9.13,
            "cross_z": 2.2,
            "entities_z": 0.0,
            "screens": {
                "users": 0.9502,
                "entities": 0.25,
                "logme": -0.9511,
                "h_score": 1.304,
                "cka": 0.31,
                "graph": 0.117,
                "gradient": 0.2412,
            },
        },
    ],
    "shapley_unit": "ndcg@10",
    "by_group": [
        {
            "group": "cold users",
            "users": 61,
            "none": 0.0104,
            "chosen": 0.0123,
            "chosen_error": 0.0041,
            "all": 0.0119,
            "all_error": 0.0042,
        },
        {
            "group": "tail items",
            "users": 160,
            "none": 0.0088,
            "chosen": -0.0006,
            "chosen_error": 0.0009,
            "all": -0.0011,
            "all_error": 0.001,
        },
    ],
}
