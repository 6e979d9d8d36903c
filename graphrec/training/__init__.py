"""The one training loop, shared by every stage that fits parameters.

A stage brings a `Task` (parameters, batches, a loss, a validation score); `fit` runs epochs,
keeps the best one, writes checkpoints and resumes from them.
"""
