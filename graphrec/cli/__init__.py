"""The composition root: argv, YAML, tracking, the Optuna study, the stage table. Nothing imports it."""
