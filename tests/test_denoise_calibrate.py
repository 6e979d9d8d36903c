"""From scores to probabilities: planted mixtures, whose shares and posteriors are known."""

import numpy as np
import pytest

from kg_denoise.calibrate import calibrate
from kg_denoise.config import CalibrationConfig
from kg_denoise.curves import auroc, curves
from kg_denoise.mixture import estimate_shares, lean

CONFIG = CalibrationConfig(min_triples=200, lean=50)


def planted(num, shares, gap, seed, relation=0, means=(0.0,)):
    """Return scores, relations, kinds and truth of `num` triples, then `num` corruptions of each kind.

    True triples score N(gap, 1); a share of wrong ones and all corruptions of kind k score N(means[k], 1).
    """
    rng = np.random.default_rng(seed)
    made = rng.choice(len(means) + 1, size=num, p=[*shares, 1 - sum(shares)])
    kind = np.concatenate([np.full(num, -1), np.repeat(np.arange(len(means)), num)])
    mean = np.array([*means, gap])[np.concatenate([made, kind[num:]])]
    score = rng.normal(mean).astype(np.float32)
    return score, np.full(len(score), relation), kind, made == len(means)


def beside(*tables):
    """Lay planted tables one after the other: scores, relations, kinds, and the truth of the triples."""
    score, relation, kind = (np.concatenate([table[part] for table in tables]) for part in range(3))
    return score, relation, kind, np.concatenate([table[3] for table in tables])


# --- the shares of wrong triples


@pytest.mark.parametrize(
    ("means", "shares"),
    [((0.0,), (0.2,)), ((0.0, 2.0), (0.1, 0.15)), ((-3.0, 0.0, 2.0), (0.1, 0.05, 0.1))],
)
def test_planted_mixtures_are_recovered_by_kind(means, shares):
    score, _, kind, _ = planted(20_000, shares, 5.0, seed=1, means=means)
    own = kind < 0
    found = estimate_shares(score[own], score[~own], kind[~own], len(means))
    # The foot of true scores takes a little of every kind: shares err downwards.
    assert found.wrong == pytest.approx(shares, abs=0.04)
    assert found.true == pytest.approx(1 - sum(shares), abs=0.05)


def test_a_clean_table_has_next_to_no_share():
    score, relation, kind, _ = planted(20_000, (0.0, 0.0), 4.0, seed=2, means=(0.0, 1.0))
    found = calibrate(score, relation, kind, CONFIG, seed=0)
    assert found.share.max() < 0.02
    assert found.probability.mean() > 0.98


def test_a_table_of_corruptions_alone_is_wrong():
    rng = np.random.default_rng(8)
    null = rng.normal(size=4000).astype(np.float32)
    one = np.zeros(4000, dtype=np.int64)
    assert estimate_shares(rng.normal(size=4000).astype(np.float32), null, one, 1).wrong[0] > 0.7
    assert estimate_shares(null + 20, null, one, 1).wrong[0] < 1e-3


def test_shares_lean_to_what_is_expected():
    score, _, kind, _ = planted(500, (0.2,), 4.0, seed=3)
    own = kind < 0
    free, held = (
        estimate_shares(score[own], score[~own], kind[~own], 1, prior=np.array([0.6]), strength=strength).wrong[0]
        for strength in (0, 500)
    )
    assert free == pytest.approx(0.2, abs=0.08)
    assert held == pytest.approx((free + 0.6) / 2, abs=0.05)


def test_a_kind_without_corruptions_has_no_share():
    score, _, kind, _ = planted(3000, (0.2,), 4.0, seed=4)
    own = kind < 0
    found = estimate_shares(score[own], score[~own], 2 * kind[~own] + 1, 3)
    assert found.wrong[[0, 2]].tolist() == [0, 0]
    assert found.wrong[1] == pytest.approx(0.2, abs=0.03)


# --- calibration


def test_the_exact_posterior():
    score, relation, kind, true = planted(20_000, (0.2,), 3.0, seed=1)
    found = calibrate(score, relation, kind, CONFIG, seed=0)
    assert found.share[0] == pytest.approx(0.2, abs=0.02)
    assert found.kinds == pytest.approx([0.2], abs=0.02)
    assert curves(found.probability, true)["ece"] < 0.02
    # Where both densities are equal, what is left is the share.
    middle = np.abs(score[kind < 0] - 1.5) < 0.05
    assert found.probability[middle].mean() == pytest.approx(0.8, abs=0.05)
    assert found.told.all()


def test_kinds_are_weighed_as_the_table_has_them():
    score, relation, kind, true = planted(20_000, (0.01, 0.29), 5.0, seed=2, means=(-3.0, 2.0))
    found = calibrate(score, relation, kind, CONFIG, seed=0)
    assert found.kinds == pytest.approx([0.01, 0.29], abs=0.03)
    assert curves(found.probability, true)["ece"] < 0.03


def test_probability_never_falls_with_the_score_in_a_relation_and_stratum():
    tables = [planted(1500, (0.3,), gap, seed=gap_seed, relation=gap_seed) for gap_seed, gap in enumerate((1.5, 3.0))]
    score, relation, kind, _ = beside(*tables)
    stratum = np.random.default_rng(0).random(len(score)) < 0.5
    found = calibrate(score, relation, kind, CONFIG, stratum=stratum, seed=0)
    own = kind < 0
    for cell in range(4):
        rows = 2 * relation[own] + stratum[own] == cell
        by_score = found.log_odds[rows][np.argsort(score[own][rows])]
        assert (np.diff(by_score) >= 0).all()
        assert by_score[0] < by_score[-1]


def test_strata_are_calibrated_apart():
    few, many = planted(5000, (0.1,), 4.0, seed=3), planted(5000, (0.5,), 4.0, seed=4)
    score, relation, kind, true = beside(few, many)
    stratum = np.arange(len(score)) >= len(few[0])
    found = calibrate(score, relation, kind, CONFIG, stratum=stratum, seed=0)
    second = np.arange(10_000) >= 5000
    assert found.share[~second] == pytest.approx(0.1, abs=0.03)
    assert found.share[second] == pytest.approx(0.5, abs=0.08)
    assert found.kinds[0] == pytest.approx(0.3, abs=0.05)
    assert max(curves(found.probability[rows], true[rows])["ece"] for rows in (second, ~second)) < 0.07


def test_what_can_not_be_told_falls_back_to_the_base_rate():
    score, relation, kind, _ = beside(
        planted(5000, (0.2,), 4.0, seed=3), planted(5000, (0.2,), 0.0, seed=4, relation=1)
    )
    found = calibrate(score, relation, kind, CONFIG, seed=0)
    first = relation[kind < 0] == 0
    assert found.told.tolist() == first.tolist()
    assert np.ptp(found.probability[~first]) == 0
    assert found.probability[~first][0] == pytest.approx(1 - found.share[first][0])
    assert found.probability[~first][0] == pytest.approx(0.8, abs=0.03)


def test_a_weak_relation_keeps_its_ranking_and_borrows_its_share():
    weak = planted(5000, (0.2,), 0.5, seed=4, relation=1)
    score, relation, kind, _ = beside(planted(5000, (0.2,), 4.0, seed=3), weak)
    found = calibrate(score, relation, kind, CONFIG, seed=0)
    second = relation[kind < 0] == 1
    assert found.told.all()
    assert np.unique(found.share).size == 1
    measured = curves(found.probability[second], weak[3])
    assert measured["ece"] < 0.05
    assert measured["auroc"] == pytest.approx(auroc(weak[0][:5000], weak[3]), abs=0.01)


def test_a_missing_score_is_no_evidence():
    score, relation, kind, _ = planted(4000, (0.2,), 4.0, seed=5)
    score[::10] = np.nan
    found = calibrate(score, relation, kind, CONFIG, seed=0)
    silent = np.isnan(score[kind < 0])
    assert not found.told[silent].any() and found.told[~silent].all()
    assert found.probability[silent] == pytest.approx(0.8, abs=0.03)


def test_shares_given_by_the_user():
    score, relation, kind, _ = planted(2000, (0.2,), 4.0, seed=6)
    known = calibrate(score, relation, kind, CalibrationConfig(noise_share=0.05), seed=0)
    assert known.share == pytest.approx(0.05)
    assert known.probability.mean() == pytest.approx(0.95, abs=0.02)
    nothing = calibrate(np.zeros_like(score), relation, kind, CalibrationConfig(fallback_share=0.3), seed=0)
    assert nothing.probability == pytest.approx(0.7)


def test_small_relations_are_calibrated_together():
    score, _, kind, true = planted(2000, (0.2,), 4.0, seed=7)
    found = calibrate(score, np.arange(4000) % 50, kind, CONFIG, seed=0)
    assert found.told.all()
    assert np.unique(found.share).size == 1
    assert curves(found.probability, true)["ece"] < 0.05


def test_a_relation_without_corruptions_is_not_told():
    score, relation, kind, _ = planted(2000, (0.2,), 4.0, seed=8)
    relation[(kind < 0) & (np.arange(4000) % 4 == 0)] = 1
    found = calibrate(score, relation, kind, CONFIG, seed=0)
    assert np.array_equal(found.told, relation[kind < 0] == 0)


def test_what_is_reported_was_kept_from_the_fit():
    score, relation, kind, _ = planted(20_000, (0.2,), 2.0, seed=9)
    found = calibrate(score, relation, kind, CONFIG, seed=0)
    assert len(found.expected) == len(found.observed) == pytest.approx(0.3 * len(score), rel=0.05)
    assert found.observed.mean() == pytest.approx(0.5, abs=0.02)
    assert curves(found.expected, found.observed)["ece"] < 0.02


def leaning(num, share, seed):
    """Return a table whose errors score above its corruptions: ranks of these have the density 2u among errors."""
    rng = np.random.default_rng(seed)
    true = rng.random(num) > share
    own = np.where(true, rng.normal(1.4, 0.15, size=num), np.sqrt(rng.random(num)))
    score = np.concatenate([own, rng.random(num)]).astype(np.float32)
    return score, np.zeros(2 * num, dtype=np.int64), np.repeat([-1, 0], num), true


def test_errors_that_score_above_corruptions_are_counted_all_the_same():
    score, relation, kind, true = leaning(20_000, 0.3, seed=10)
    found = calibrate(score, relation, kind, CONFIG, weight=np.ones(len(score)), seed=0)
    plain = calibrate(score, relation, kind, CONFIG, seed=0)
    assert plain.share[0] < 0.25
    assert found.share[0] == pytest.approx(0.3, abs=0.05)
    assert curves(found.probability, true)["ece"] < curves(plain.probability, true)["ece"]


def test_corruptions_that_errors_resemble_do_not_lean():
    rng = np.random.default_rng(11)
    own, null = rng.random(5000), rng.random(5000)
    assert lean(own, null, np.ones(5000)) == pytest.approx(np.ones(5000), abs=0.25)
    leant = lean(np.sqrt(own), null, np.ones(5000))
    assert leant.sum() == pytest.approx(5000)
    assert (np.diff(leant[np.argsort(null)]) >= 0).all() and leant[null > 0.9].mean() > 1.5
    assert lean(own + 2, null, np.ones(5000)) == pytest.approx(np.ones(5000), abs=0.15), "nothing to lean to"


def test_weights_say_what_a_corruption_counts():
    score, relation, kind, _ = planted(20_000, (0.0, 0.3), 5.0, seed=12, means=(-3.0, 2.0))
    found = calibrate(score, relation, kind, CONFIG, seed=0)
    counts = [found.weight[kind == index].mean() for index in (-1, 0, 1)]
    assert counts[0] == 1 and counts[1] < 0.3 and counts[2] > 1.7
    again = calibrate(score, relation, kind, CONFIG, weight=found.weight, seed=0)
    assert again.kinds.shape == (1,)
    assert again.share[0] == pytest.approx(0.3, abs=0.03)
    assert curves(again.expected, again.observed)["ece"] < 0.03, "what is shown is drawn by weight"


# --- curves


def test_curves_by_hand():
    found = curves(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, True, False, True]))
    assert found["auroc"] == pytest.approx(3 / 4)
    assert found["average_precision"] == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert found["ece"] == pytest.approx((0.1 + 0.6 + 0.6 + 0.1) / 4)
    assert found["base_rate"] == 0.5
    assert np.allclose(found["precision_recall"], [[0.5, 1], [1, 2 / 3]])
    assert np.allclose(found["reliability"], [[0.1, 0, 1], [0.4, 1, 1], [0.6, 0, 1], [0.9, 1, 1]])


def test_curves_of_ties_and_of_one_kind():
    tied = curves(np.full(10, 0.5), np.arange(10) < 7)
    assert (tied["auroc"], tied["base_rate"]) == (0.5, pytest.approx(0.3))
    assert tied["average_precision"] == pytest.approx(0.3)
    assert curves(np.full(3, 0.5), np.ones(3, dtype=bool)) is None
    assert auroc(np.arange(3.0), np.ones(3, dtype=bool)) == 0.5
    long = curves(np.linspace(0, 1, 5000), np.arange(5000) % 2 == 0)
    assert len(long["precision_recall"]) <= 100
