"""What every layer shares: ids, typed config, artifacts, tracking, search, seeds, errors, progress.

Nothing here knows a stage, a model or a data set, and nothing here imports torch.
"""
