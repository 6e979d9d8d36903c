"""Losses: scalars from scores or vectors, never from the model.

A ranking loss sees the scores of a positive and of negatives:

    sampled_softmax   one positive against many shared negatives, corrected for how those were drawn
    bpr               pairs: the positive above each negative

A representation loss sees two unit vectors of the same thing, `f(z_a, z_b, weight, key)`:

    info_nce          the two vectors of a row find each other among all rows
    alignment         the two vectors of a row are close
    uniformity        the rows of either side are spread over the sphere

Scores come as cosines in [-1, 1] or as any real numbers; a loss divides them by its temperature.
"""
