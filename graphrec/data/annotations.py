"""What is said about entities and triples, in internal ids: texts, types, votes."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from graphrec.core.ids import IdMap
from graphrec.core.types import IntArray
from graphrec.data.dataset import Votes


@dataclass(frozen=True, kw_only=True)
class Described:
    """Texts and types of entities, as in `Dataset`; `text` is empty where no entity has one."""

    text: tuple[str, ...]
    type_entity: IntArray
    type_index: IntArray
    types: tuple[str, ...]


def describe(told: pl.DataFrame, entities: IdMap) -> Described:
    """Number what `told` (entity, text, type) says of known entities; the first text of each counts."""
    place = entities.find(told["entity"])
    rows = told.with_columns(place=pl.Series(place)).filter(pl.col("place") >= 0)
    named = rows.filter(pl.col("text").fill_null("").str.strip_chars() != "").unique(
        "place", keep="first", maintain_order=True
    )
    text = [""] * len(entities) if named.height else []
    for entity, words in named.select("place", "text").iter_rows():
        text[entity] = words
    typed = rows.filter(pl.col("type").fill_null("") != "")
    types = IdMap.build("type", typed["type"])
    pairs = np.unique(np.stack([typed["place"].to_numpy(), types.encode(typed["type"])]), axis=1)
    return Described(text=tuple(text), type_entity=pairs[0], type_index=pairs[1], types=tuple(types.table["id"]))


def number_votes(votes: pl.DataFrame, triples: pl.DataFrame) -> tuple[Votes, int]:
    """Return `votes` (columns of `raw.VOTES`) on the rows of `triples` (no triple twice), and how many are on none.

    What one voter says of one triple several times is averaged, each by its number of samples.
    """
    key = ["head", "relation", "tail"]
    rows = triples.select(key).with_row_index("triple").with_columns(pl.col("triple").cast(pl.Int64))
    met = votes.join(rows, on=key)
    weighted = (pl.col("vote").cast(pl.Float64) * pl.col("num")).sum() / pl.col("num").sum()
    said = met.group_by("triple", "voter").agg(vote=weighted, num=pl.col("num").sum()).sort("triple", "voter")
    voters = IdMap.build("voter", said["voter"])
    numbered = Votes(
        triple=said["triple"].to_numpy(writable=True),
        voter=voters.encode(said["voter"]),
        vote=said["vote"].cast(pl.Float32).to_numpy(writable=True),
        num=said["num"].to_numpy(writable=True),
        voters=tuple(voters.table["id"]),
    )
    return numbered, votes.height - met.height
