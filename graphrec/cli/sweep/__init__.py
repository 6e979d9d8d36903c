"""`graphrec sweep`: search the options of a run by whole runs, with as many workers as one likes.

command     puts together:      worker      the loop of one worker
config      what is asked for   record      the loop with its record in MLflow (_mlflow)
space       options <-> points  trial       one run of the pipeline as a trial
objectives  what it is worth    _optuna     the study that workers share, by the rule in slots
show        what was found      draw        samplers and pruners
"""
