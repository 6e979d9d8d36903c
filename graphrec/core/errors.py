"""The exception tree.

    GraphrecError                what a user can mend; the command line prints one line and exits with code 2
    ├── ConfigError              YAML, overrides, option values (a ValueError)
    ├── DataError                tables, ids, triples, splits (a ValueError)
    ├── ArtifactError            a run folder that is missing, incomplete, damaged or in use
    └── MissingExtraError        an optional dependency that is not installed (an ImportError)

Anything else that escapes is a bug of ours and keeps its traceback.
"""


class GraphrecError(Exception):
    """Base of every error that a user can mend. The message says what, where, and what to do."""


class ConfigError(GraphrecError, ValueError):
    """A configuration file, an override or an option value is wrong."""


class DataError(GraphrecError, ValueError):
    """A table breaks its schema, or the data cannot serve the run that was asked for."""


class ArtifactError(GraphrecError):
    """A run folder or an artifact is missing, incomplete, damaged or in use."""


class MissingExtraError(GraphrecError, ImportError):
    """An optional dependency is needed; the message names the extra that installs it."""
