"""Gradient-boosted trees: LightGBM behind two functions, deterministic and quiet."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import BoolArray, FloatArray, IntArray
from kg_denoise.fuse_config import FusionConfig

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Forest:
    """Boosted trees. Features are `[n, k]`, NaN for what is missing."""

    booster: lgb.Booster

    def logit(self, features: Matrix) -> FloatArray:
        """Return the log odds of being an own triple, `[n]`."""
        return np.asarray(self.booster.predict(features, raw_score=True), dtype=np.float32)

    def contributions(self, features: Matrix) -> Matrix:
        """Return what each feature adds to the log odds, `[n, k]` (TreeSHAP, Lundberg et al. 2020)."""
        found = np.asarray(self.booster.predict(features, pred_contrib=True), dtype=np.float32)
        return found[:, :-1]


def fit_forest(
    features: Matrix,
    own: BoolArray,
    weight: FloatArray | None = None,
    *,
    monotone: Sequence[int],
    categorical: IntArray,
    config: FusionConfig,
    seed: int,
) -> Forest:
    """Fit trees that tell own triples from corruptions.

    `own` and `weight` [n] say what a row is and counts (1 without); `monotone` has one flag per feature.
    """
    params = {
        "objective": "binary",
        "learning_rate": config.lr,
        "num_leaves": config.leaves,
        "min_data_in_leaf": config.min_leaf,
        "lambda_l2": config.l2,
        "feature_fraction": config.feature_share,
        "max_bin": 127,
        "monotone_constraints": list(monotone),
        "monotone_constraints_method": "intermediate",
        "cat_smooth": 50.0,
        "seed": seed % 2**31,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lgb.Dataset(
        features,
        label=own.astype(np.float32),
        weight=weight,
        categorical_feature=categorical.tolist(),
        params={"max_bin": 127, "verbosity": -1},
        free_raw_data=True,
    )
    return Forest(lgb.train(params, data, num_boost_round=config.rounds))
