"""Ranking losses: they see scores of a positive and of negatives, never the model.

    sampled_softmax   one positive against many shared negatives, corrected for how those were drawn
    bpr               pairs: the positive above each negative

Scores come as cosines in [-1, 1] or as any real numbers; each loss divides them by its temperature.
"""
