"""What votes, confidences and sources are worth: planted witnesses, and small cases worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from benchmarks.denoise_sets import factbench
from graphrec.core.types import FloatArray, IntArray
from graphrec.data.dataset import Triples, Votes
from kg_denoise import testimony
from kg_denoise.testimony import weigh
from kg_denoise.testimony_columns import vote_columns
from kg_denoise.testimony_config import TestimonyConfig as Options

ALONE = Options(shared_error=0.0, same_model_error=0.0)
N = 6000


def table(num: int, relations: int = 1) -> Triples:
    """Triples that share no end."""
    place = np.arange(num)
    return Triples(head=place, relation=place % relations, tail=place + num, confidence=np.ones(num, dtype=np.float32))


def ballots(said: FloatArray, names: list[str] | None = None, num: IntArray | None = None) -> Votes:
    """Votes from a matrix [num_triples, num_voters], NaN where a voter abstains."""
    triple, voter = np.nonzero(~np.isnan(said))
    return Votes(
        triple=triple,
        voter=voter,
        vote=said[triple, voter].astype(np.float32),
        num=np.ones(len(triple), dtype=np.int64) if num is None else num,
        voters=tuple(names or [f"m{k}" for k in range(said.shape[1])]),
    )


def planted(rates: list[tuple[float, float]], num: int = N, share: float = 0.6) -> tuple[IntArray, FloatArray]:
    """Truth, and yes and no of independent voters with the given chances of yes: (if true, if wrong)."""
    rng = np.random.default_rng(0)
    truth = (rng.random(num) < share).astype(np.int64)
    chance = np.array(rates)[:, ::-1].T[truth]
    return truth, (rng.random(chance.shape) < chance).astype(np.float64)


def exact(said: FloatArray, rates: list[tuple[float, float]]) -> FloatArray:
    yes, no = (np.log(np.array(part)) @ [1, -1] for part in (rates, 1 - np.array(rates)))
    return np.asarray(said @ yes + (1 - said) @ no)


RATES = [(0.9, 0.2), (0.8, 0.3), (0.7, 0.1), (0.6, 0.4)]


def test_reliabilities_and_ratios_of_planted_voters_are_found() -> None:
    truth, said = planted(RATES)
    found = weigh(ballots(said), table(N), ALONE)
    for voter, (yes, wrong) in zip(found.voters, RATES, strict=True):
        assert (voter.sensitivity, 1 - voter.specificity) == pytest.approx((yes, wrong), abs=0.04)
        assert voter.num == N
    assert found.base_log_odds == pytest.approx([logit(0.6)], abs=0.15)
    np.testing.assert_allclose(found.log_ratio, exact(said, RATES), atol=0.5)
    assert calibration_gap(found, truth) < 0.03
    assert found.log_ratio.dtype == np.float32 and found.summary["how"] == "latent classes"


def calibration_gap(found: testimony.Testimony, truth: IntArray, prior: float | FloatArray | None = None) -> float:
    chance = expit(found.log_ratio + (found.base_log_odds[0] if prior is None else prior))
    place = np.minimum((chance * 10).astype(int), 9)
    return float(np.abs(np.bincount(place, chance - truth, 10)).sum() / len(truth))


def test_a_voter_worse_than_chance_speaks_against() -> None:
    truth, said = planted([*RATES, (0.2, 0.8)])
    found = weigh(ballots(said), table(N), ALONE)
    assert found.voters[4].sensitivity == pytest.approx(0.2, abs=0.04)
    flipped = said.copy()
    flipped[:, 4] = 1 - said[:, 4]
    np.testing.assert_allclose(weigh(ballots(flipped), table(N), ALONE).log_ratio, found.log_ratio, atol=0.05)


def test_reliability_is_learnt_by_relation_and_drawn_to_the_overall_one() -> None:
    truth, said = planted(RATES)
    triples = table(N, relations=2)
    odd = triples.relation == 1
    said[odd, 0] = np.random.default_rng(1).integers(0, 2, odd.sum())
    loose, tight = (
        weigh(ballots(said), triples, Options(shared_error=0, relation_strength=strength)).voters[0].by_relation
        for strength in (20, 1e6)
    )
    assert loose[0].tolist() == pytest.approx([0.9, 0.8], abs=0.04)
    assert loose[1].tolist() == pytest.approx([0.5, 0.5], abs=0.04)
    assert tight[0].tolist() == pytest.approx(tight[1].tolist(), abs=0.01)


def test_who_abstains_says_nothing() -> None:
    truth, said = planted(RATES)
    said[: N // 2, 3] = np.nan
    said[:10] = np.nan
    found = weigh(ballots(said), table(N), ALONE)
    assert not found.log_ratio[:10].any() and found.log_ratio[10:].all()
    three = exact(said[10 : N // 2, :3], RATES[:3])
    np.testing.assert_allclose(found.log_ratio[10 : N // 2], three, atol=0.5)
    assert found.voters[3].num == N // 2
    assert found.summary["num_said"] == N - 10


@pytest.mark.parametrize(
    ("names", "divisor"),
    [(["a/x", "b/x"], 1.3), (["a/x", "a/y"], 1.5), (["a", "b"], 1.3)],
    ids=["models", "prompts", "bare"],
)
def test_two_voters_of_whom_nothing_is_known_are_trusted_a_little(names: list[str], divisor: float) -> None:
    said = np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [1.0, np.nan]])
    found = weigh(ballots(said, names), table(4), Options())
    one = logit(0.7)
    assert found.log_ratio == pytest.approx([2 * one / divisor, -2 * one / divisor, 0, one], abs=1e-5)
    assert found.summary["how"] == "assumed reliability" and not found.base_log_odds.any()


def test_a_voter_asked_twice_counts_once() -> None:
    truth, said = planted(RATES[:3])
    names = ["a/x", "b/x", "c/x"]
    config = Options(shared_error=0, same_model_error=0.999)
    once = weigh(ballots(said, names), table(N), config).log_ratio
    twice = weigh(ballots(said[:, [0, 1, 2, 0, 1, 2]], [*names, "a/y", "b/y", "c/y"]), table(N), config).log_ratio
    np.testing.assert_allclose(twice, once, atol=0.1)


def test_prior_odds_are_used_but_are_not_in_the_ratio() -> None:
    truth, said = planted(RATES[:1])
    rng = np.random.default_rng(2)
    seen = rng.normal(2 * truth - 1, 1.0)
    prior = (2 * seen + logit(0.6)).astype(np.float32)
    found = weigh(ballots(said), table(N), ALONE, prior_log_odds=prior)
    np.testing.assert_allclose(found.log_ratio, exact(said, RATES[:1]), atol=0.25)
    assert calibration_gap(found, truth, prior) < 0.03
    assert not found.base_log_odds.any()


def test_confidence_counts_only_where_something_else_tells_true_from_wrong() -> None:
    rng = np.random.default_rng(3)
    truth = (rng.random(N) < 0.5).astype(np.int64)
    confidence = np.clip(rng.normal(0.5 + 0.2 * (2 * truth - 1), 0.2), 0.01, 1).astype(np.float32)
    prior = (2 * rng.normal(2 * truth - 1, 1.0)).astype(np.float32)
    unknown = weigh(Votes(), table(N), Options(), confidence=confidence)
    assert not unknown.log_ratio.any() and unknown.summary["how"] == "nothing was said"
    found = weigh(Votes(), table(N), Options(), confidence=confidence, prior_log_odds=prior)
    # Two normals .4 apart, of deviation .2: the log ratio is 10 (x - .5), but for binning and clipping.
    middle = (confidence > 0.3) & (confidence < 0.7)
    assert np.corrcoef(found.log_ratio[middle], confidence[middle])[0, 1] > 0.95
    assert calibration_gap(found, truth, prior) < 0.03


def test_a_source_that_errs_is_found_out() -> None:
    truth, said = planted(RATES)
    rng = np.random.default_rng(4)
    source = np.where(rng.random(N) < 0.8, 1 - truth, truth)
    source[:100] = -1
    found = weigh(ballots(said), table(N), ALONE, source=source)
    plain = weigh(ballots(said), table(N), ALONE)
    extra = (found.log_ratio - plain.log_ratio)[100:]
    assert extra[source[100:] == 1].mean() == pytest.approx(np.log(0.2 / 0.8), abs=0.25)
    np.testing.assert_allclose(found.log_ratio[:100], plain.log_ratio[:100], atol=0.4)


def test_who_only_says_yes_passed_over_what_it_was_asked() -> None:
    # One voter names (0, r, 10) twice and (1, r, 12); (0, r, 11) is named by the other, (2, r, 13) by nobody else.
    triples = Triples(
        head=np.array([0, 0, 1, 2, 0]),
        relation=np.zeros(5, dtype=np.int64),
        tail=np.array([10, 11, 12, 13, 14]),
        confidence=np.ones(5, dtype=np.float32),
    )
    votes = Votes(
        triple=np.array([0, 1, 2, 3]),
        voter=np.array([0, 1, 0, 1]),
        vote=np.ones(4, dtype=np.float32),
        num=np.array([2, 1, 1, 9]),
        voters=("a", "b"),
    )
    first, second = vote_columns(votes, triples, 8)
    assert first.category.tolist() == [2, 0, 1, -1, -1]
    # The last triple was voted on by nobody, so nobody passed it over.
    assert second.category.tolist() == [0, 1, -1, 3, -1]
    assert first.value.tolist()[:3] == [1, 0, 1] and np.isnan(first.value[3:]).all()


def test_votes_may_be_probabilities() -> None:
    rng = np.random.default_rng(5)
    truth, said = planted(RATES)
    said[:, 0] = expit(rng.normal(2 * truth - 1, 1.0))
    found = weigh(ballots(said), table(N), ALONE)
    low, high = said[:, 0] < 0.2, said[:, 0] > 0.8
    assert found.log_ratio[high].mean() - found.log_ratio[low].mean() > 3
    assert calibration_gap(found, truth) < 0.03


def together(num: int = N) -> tuple[IntArray, FloatArray]:
    """Six voters of accuracy .75 who take one and the same word half of the time."""
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, num)
    word, own = (np.where(rng.random((num, k)) < 0.75, truth[:, None], 1 - truth[:, None]) for k in (1, 6))
    return truth, np.where(rng.random((num, 6)) < 0.5, word, own).astype(np.float64)


def test_labels_teach_what_shared_errors_are_worth() -> None:
    truth, said = together()
    labels = np.where(np.arange(N) < 1000, truth, -1)
    free, taught = (weigh(ballots(said), table(N), ALONE, labels=given) for given in (None, labels))
    assert taught.summary["how"] == "regression on labels" and taught.summary["num_labels"] == 1000
    rest = slice(1000, None)
    gaps = [calibration_gap(replaced(found, rest), truth[rest]) for found in (free, taught)]
    assert gaps[1] < 0.03 < gaps[0]


@pytest.mark.parametrize("worth", [0.0, 2.0])
def test_labels_choose_how_much_of_a_prior_is_taken_over(worth: float) -> None:
    truth, said = planted(RATES)
    labels, rest = np.where(np.arange(N) < 300, truth, -1), np.arange(N) >= 300
    prior = (worth * (2 * truth - 1) + np.random.default_rng(8).normal(0, 3, N)).astype(np.float32)
    found = weigh(ballots(said), table(N), ALONE, prior_log_odds=prior, labels=labels)
    alone = weigh(ballots(said), table(N), ALONE, labels=labels)
    with_prior, without = (
        np.logaddexp(0, np.where(truth == 1, -odds, odds))[rest].mean()
        for odds in (prior + found.log_ratio, alone.base_log_odds[table(N).relation] + alone.log_ratio)
    )
    fixed = np.logaddexp(0, np.where(truth == 1, -1, 1) * (prior + alone.log_ratio))[rest].mean()
    assert with_prior < without + 0.01 < fixed if not worth else with_prior < without


def replaced(found: testimony.Testimony, rows: slice) -> testimony.Testimony:
    return testimony.Testimony(
        log_ratio=found.log_ratio[rows], base_log_odds=found.base_log_odds, voters=found.voters, summary=found.summary
    )


def test_assumed_correlation_tempers_without_labels() -> None:
    truth, said = together()
    gaps = [calibration_gap(weigh(ballots(said), table(N), config), truth) for config in (ALONE, Options())]
    assert gaps[1] < 0.6 * gaps[0]


def test_few_labels_show_how_reliable_one_voter_is() -> None:
    truth, said = planted([(0.95, 0.4)])
    labels = np.where(np.arange(N) < 60, truth, -1)
    found = weigh(ballots(said), table(N), ALONE, labels=labels)
    assert found.summary["how"] == "latent classes"
    assert found.voters[0].sensitivity > 0.8
    assert weigh(ballots(said), table(N), ALONE).summary["how"] == "assumed reliability"


def test_company_tells_where_one_of_the_facts_on_a_head_is_true() -> None:
    # Each head has one true and one wrong tail; voters are weak, but what they say of the other tail helps.
    truth, said = planted([(0.7, 0.3)] * 3)
    pair = np.arange(N) // 2
    truth = np.arange(N) % 2
    said = (np.random.default_rng(7).random((N, 3)) < np.where(truth, 0.7, 0.3)[:, None]).astype(np.float64)
    triples = Triples(
        head=pair, relation=np.zeros(N, dtype=np.int64), tail=np.arange(N) + N, confidence=np.ones(N, dtype=np.float32)
    )
    labels = np.where(np.arange(N) < 1000, truth, -1)
    right = []
    for company in (False, True):
        found = weigh(ballots(said), triples, Options(company=company), labels=labels)
        right.append(((found.log_ratio + found.base_log_odds[0] > 0) == truth)[1000:].mean())
    assert right[0] == pytest.approx(0.784, abs=0.02) and right[1] > right[0] + 0.04


def test_nothing_said_is_nothing_weighed_and_equal_input_gives_equal_output() -> None:
    empty = weigh(Votes(), table(3), Options())
    assert (empty.log_ratio.tolist(), empty.voters, empty.base_log_odds.tolist()) == ([0, 0, 0], (), [0])
    truth, said = planted(RATES, num=500)
    labels = np.where(np.arange(500) < 200, truth, -1)
    one, two = (weigh(ballots(said), table(500), Options(), labels=labels, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.log_ratio, two.log_ratio)


def test_factbench_without_labels(data_dir: Path) -> None:
    facts = factbench.load(data_dir / "factbench_llm")
    assert (len(facts.triple), facts.truth[facts.triple].sum(), len(facts.votes.voters)) == (2800, 1500, 8)
    found = weigh(facts.votes, facts.triples, Options())
    right = (found.log_ratio + found.base_log_odds[facts.triples.relation] > 0) == facts.truth
    assert (right[facts.truth == 1].mean() + right[facts.truth == 0].mean()) / 2 > 0.80
