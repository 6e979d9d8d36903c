"""Readers: one file and one row each. A reader turns what lies on disk into `RawTables`.

A reader module has two functions over its own option section: `read(config) -> RawTables`, which checks
everything and fails once with all it found, and `files(config) -> list[Path]`, the files it would read,
in order, for fingerprints.
"""

READERS = {
    "tables": "graphrec.data.readers.tables",
    "recbole": "graphrec.data.readers.recbole",
    "kgat": "graphrec.data.readers.kgat",
    "amazon": "graphrec.data.readers.amazon",
    "graph": "graphrec.data.readers.graph",
    "journey": "graphrec.data.readers.journey",
}
"""Reader name, which is also the name of its option section -> module."""
