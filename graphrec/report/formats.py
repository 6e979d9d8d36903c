"""Numbers as text: one way for every count, score, share and time in the report."""

from typing import Any

ABSENT = "not recorded"
"""What stands where a stage wrote no such value."""


def count(value: Any) -> str:
    """Return a whole number with thousands separated: 12,345."""
    return f"{value:,.0f}" if is_number(value) else ABSENT


def score(value: Any) -> str:
    """Return a metric with four decimals."""
    return f"{value:.4f}" if is_number(value) else ABSENT


def number(value: Any, digits: int = 3) -> str:
    """Return a number of any size or sign with `digits` decimals and a real minus."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}") if is_number(value) else ABSENT


def signed(value: Any, digits: int = 4) -> str:
    """Return a difference of metrics with its sign and a real minus."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if is_number(value) else ABSENT


def gain(value: Any, error: Any, digits: int = 4) -> str:
    """Return a difference with its standard error, if there is one."""
    beside = f" \N{PLUS-MINUS SIGN} {number(error, digits)}" if is_number(error) else ""
    return f"{signed(value, digits)}{beside}" if is_number(value) else ABSENT


def change(value: Any) -> str:
    """Return a relative difference as a percentage with its sign."""
    return f"{100 * value:+.1f} %".replace("-", "\N{MINUS SIGN}") if is_number(value) else ABSENT


def percent(value: Any) -> str:
    """Return a share as a percentage, finer below one percent."""
    if not is_number(value):
        return ABSENT
    return f"{100 * value:.2f} %" if 0 < abs(value) < 0.01 else f"{100 * value:.1f} %"


def seconds(value: Any) -> str:
    """Return a duration in the unit that a person would choose."""
    if not is_number(value):
        return ""
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{value:.1f} s"


def plain(value: Any) -> str:
    """Return any JSON value for a reader: numbers short, lists joined, nothing for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "none"
    return ABSENT if value is None else str(value)


def label(key: str) -> str:
    """Return a key of a summary as words: num_pairs_kept -> pairs kept."""
    return key.removeprefix("num_").replace("_", " ")


def model(name: str) -> str:
    """Return the name of a model as its authors write it, ours and unknown ones as recorded."""
    return _MODELS.get(name, name)


_MODELS = {
    "i2i": "item-to-item",
    "target_only": "target only",
    "all_domains": "all domains",
    "vectors": "vectors alone",
    "item_knn": "item-kNN",
    "gf_cf": "GF-CF",
    "rp3beta": "RP3beta",
    "ease": "EASE",
    "ials": "iALS",
}


def is_number(value: Any) -> bool:
    """Return whether `value` is a number, not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
