"""Interactions of several files side by side: which domain and which part each is, where no column says it."""

import re
from dataclasses import dataclass
from pathlib import Path

from graphrec.data.sniff.tables import Guess

_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
_IDLE_WORDS = {
    "interactions",
    "interaction",
    "ratings",
    "rating",
    "events",
    "sample",
    "qrel",
    "5core",
    "core",
    "data",
    "part",
    "parts",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One table of interactions as it is proposed; `domain` and `split` hold where the file has no such column."""

    guess: Guess
    domain: str | None = None
    split: str | None = None
    only: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def entries_of(guesses: list[Guess]) -> list[Entry]:
    """Name the domain and the part of each table that has no column for it, and take no domain from two tables."""
    splits = {id(g): _split_of(g.sample.path) for g in guesses}
    given = {split for split in splits.values() if split}
    use_splits = "train" in given and len(given) > 1
    names = _domain_names([g for g in guesses if "domain" not in g.roles])
    entries, seen = [], dict[str, Guess]()
    for guess in guesses:
        split = splits[id(guess)] if use_splits else None
        notes = [f"the file's name says {split}"] if split else []
        if split == "valid" and "test" not in given:
            split = "test"
            notes = ["the file's name says valid, but there is no test: it is the test here, validation is carved out"]
        if "domain" not in guess.roles:
            notes.append(f"domain {names[id(guess)]}: from the file's path; there is no column with domains")
            entries.append(Entry(guess=guess, domain=names[id(guess)], split=split, notes=tuple(notes)))
            continue
        values = guess.column("domain").ids.to_list()
        twice = [value for value in values if value in seen]
        only = tuple(value for value in values if value not in seen) if twice and not use_splits else ()
        if twice and not use_splits:
            notes.append(
                f"{', '.join(twice)}: also in {seen[twice[0]].sample.path.name}; left out here, so that no domain "
                "mixes two files. Choose which file it comes from"
            )
        seen |= {value: guess for value in values if value not in seen}
        if not twice or only or use_splits:
            entries.append(Entry(guess=guess, split=split, only=only, notes=tuple(notes)))
    return entries


def _words(path: Path) -> list[str]:
    return [word for word in re.split(r"[_\-.* ]+", path.name.split(".")[0]) if word]


def _split_of(path: Path) -> str | None:
    return next((_SPLIT_WORDS[word.lower()] for word in _words(path) if word.lower() in _SPLIT_WORDS), None)


def _domain_names(guesses: list[Guess]) -> dict[int, str]:
    """Name each file's domain by what tells it from the others: its own name, else its folder's."""
    rest = {
        id(g): "_".join(w for w in _words(g.sample.path) if w.lower() not in {*_SPLIT_WORDS, *_IDLE_WORDS})
        for g in guesses
    }
    folders = {id(g): g.sample.path.resolve().parent.name for g in guesses}
    by_folder = len(set(folders.values())) > 1 and (len(set(rest.values())) == 1 or "" in rest.values())
    if by_folder:
        return folders
    # The pattern of several parts is no name.
    alone = {id(g): folders[id(g)] if g.sample.parts else g.sample.path.name.split(".")[0] for g in guesses}
    return {key: name or (alone[key] if len(guesses) == 1 else folders[key]) for key, name in rest.items()}
