"""Options of testimony: what votes on triples are taken to be worth. Free of torch, so that help is instant."""

from graphrec.core.config import config, option


@config
class TestimonyConfig:
    """How votes, confidences and sources become a likelihood ratio for each triple."""

    iterations: int = option(default=60, ge=1, help="Most rounds of expectation and maximisation.")
    relation_strength: float = option(
        default=20.0, gt=0, help="Votes by which a voter's reliability in one relation is drawn to the overall one."
    )
    shared_error: float = option(
        default=0.3, ge=0, lt=1, help="Correlation assumed between the errors of two voters; 0 counts each in full."
    )
    same_model_error: float = option(
        default=0.5, ge=0, lt=1, help="The same between two voters of one model, whose names differ after the last `/`."
    )
    trust: float = option(
        default=0.7, gt=0.5, lt=1, help="Accuracy assumed of a voter where nothing could tell how reliable it is."
    )
    bins: int = option(default=8, ge=2, le=100, help="Quantile bins of a vote or confidence that is a probability.")
    min_prior_spread: float = option(
        default=0.5,
        ge=0,
        help="Standard deviation of the prior log odds from which they count as evidence of their own.",
    )
    min_labels: int = option(
        default=100, ge=10, help="Labels on voted triples from which a regression on them takes the place of the model."
    )
    company: bool = option(
        default=True, help="With a regression, let votes on triples that share an end speak for or against a triple."
    )
