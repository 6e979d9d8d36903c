"""A heterogeneous graph of any library as plain columns, and those columns as tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from graphrec.data.config import GraphConfig
from graphrec.data.files.checks import Problems, plural, quoted, run_checks
from graphrec.data.files.times import clock
from graphrec.data.raw import TRIPLES, RawTables, TableRead
from graphrec.data.readers.columns import as_interactions, as_items, as_links, as_triples, warn_of_times

EdgeType = tuple[str, str, str]
"""Source node type, relation, target node type."""

IDS = ("external_id", "id")
"""Attributes that name a node; the first that is there counts."""

_TEXTS = ("text", "title", "name")
# What torch-geometric puts before the relation of an edge that it turned around.
_REVERSED = "rev_"


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Nodes of one type, numbered from 0, and those attributes that hold one value for each of them."""

    count: int
    attributes: Mapping[str, pl.Series]


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Edges of one type: numbers of their ends (Int64), and those attributes that hold one value for each."""

    source: pl.Series
    target: pl.Series
    attributes: Mapping[str, pl.Series]


@dataclass(frozen=True, kw_only=True)
class HeteroGraph:
    """Nodes by type and edges by edge type; `where`, a file or a word for it, starts each message."""

    where: str
    nodes: Mapping[str, Nodes]
    edges: Mapping[EdgeType, Edges]


def to_tables(graph: HeteroGraph, config: GraphConfig) -> RawTables:
    """Return edges from users to items as events, and edges between other nodes as triples.

    A node is known by its attribute `external_id` or `id`, else by its number; as an entity it is
    TYPE:ID. Raises one `DataError` with all that does not fit.
    """
    problems = Problems()
    domains = _domains(graph, config, problems)
    ids = {kind: _ids(graph, kind, problems) for kind in graph.nodes}
    _check_ends(graph, problems)
    problems.raise_any()
    if any(ids[kind].dtype == pl.String for kind in domains):
        ids |= {kind: ids[kind].cast(pl.String) for kind in domains}
    bought = [edge_type for edge_type in graph.edges if edge_type[0] == config.user and edge_type[2] in domains]
    events = [_events(graph, edge_type, ids, config, problems) for edge_type in bought]
    names = _relations(graph, config, domains, problems)
    triples = [_triples(graph, edge_type, name, ids) for edge_type, name in names.items()]
    problems.raise_any()
    named = pl.concat([_items(graph, kind, ids[kind]) for kind in domains])
    return RawTables(
        interactions=as_interactions(pl.concat([frame for frame, _ in events])),
        items=as_items(named.drop_nulls("text")),
        triples=pl.concat([pl.DataFrame(schema=TRIPLES), *triples]),
        links=as_links(named),
        link_by_id=False,
        timed=all(real for _, real in events),
        about=config.about,
        tables=(*_counted(graph, "interactions", bought), *_counted(graph, "triples", list(names))),
        warnings=tuple(problems.warnings),
    )


def _domains(graph: HeteroGraph, config: GraphConfig, problems: Problems) -> tuple[str, ...]:
    """Return the node types that are items; a type that is named but not there is a problem."""
    known = quoted(sorted(graph.nodes), 12)
    for option, kinds in (("user", (config.user,)), ("domains", config.domains)):
        for kind in kinds:
            if kind not in graph.nodes:
                problems.add(graph.where, f"no node type {kind!r}; it has {known}", do=f"set ingest.graph.{option}")
    used = dict.fromkeys(dst for src, _, dst in graph.edges if src == config.user and dst != config.user)
    absent = [kind for kind in config.domains if kind not in used and kind in graph.nodes]
    if absent or (config.user in graph.nodes and not used):
        text = f"no edges from {config.user!r} to {quoted(absent) if absent else 'any other node type'}"
        problems.add(graph.where, text, do=f"it has {quoted(list(graph.edges), 12)}; set ingest.graph.user or domains")
    return config.domains or tuple(used)


def _ids(graph: HeteroGraph, kind: str, problems: Problems) -> pl.Series:
    """Return the external ids of a node type, Int64 or String."""
    nodes = graph.nodes[kind]
    found = next((nodes.attributes[name] for name in IDS if name in nodes.attributes), None)
    if found is None:
        return pl.int_range(nodes.count, dtype=pl.Int64, eager=True)
    if not (found.dtype.is_integer() or found.dtype == pl.String) or found.null_count():
        problems.add(f"{graph.where}: {kind}", f"ids are {found.dtype}", do="give whole numbers or text, none missing")
    doubled = found.filter(found.is_duplicated()).unique(maintain_order=True)
    if len(doubled):
        problems.add(f"{graph.where}: {kind}", f"ids of more than one node: {quoted(doubled.to_list())}")
    return found if found.dtype == pl.String else found.cast(pl.Int64, strict=False)


def _check_ends(graph: HeteroGraph, problems: Problems) -> None:
    for edge_type, edges in graph.edges.items():
        for kind, end in ((edge_type[0], edges.source), (edge_type[2], edges.target)):
            count = graph.nodes[kind].count if kind in graph.nodes else 0
            beyond = int((~end.is_between(0, count - 1)).sum())
            if beyond:
                text = f"{plural(beyond, 'edge')} without a {kind!r} node at one end; there are {count:,} nodes"
                problems.add(f"{graph.where}: {edge_type}", text, do="set num_nodes, or mend edge_index")


def _events(
    graph: HeteroGraph, edge_type: EdgeType, ids: Mapping[str, pl.Series], config: GraphConfig, problems: Problems
) -> tuple[pl.DataFrame, bool]:
    """Return user, item, domain, order of the edges of one type, and whether order is a real time."""
    edges, where = graph.edges[edge_type], f"{graph.where}: {edge_type}"
    user, item = ids[edge_type[0]].gather(edges.source), ids[edge_type[2]].gather(edges.target)
    frame = pl.DataFrame({"user": user, "item": item}).with_columns(
        domain=pl.lit(edge_type[2]), order=pl.int_range(pl.len(), dtype=pl.Int64)
    )
    if config.time is None:
        warn_of_times(edges.attributes, where, problems)
        return frame, False
    time = edges.attributes.get(config.time)
    read = None if time is None else clock("time", time.dtype, time.head(1000))
    if time is None or read is None:
        text = f"no edge attribute {config.time!r} with one number for each edge"
        problems.add(where, f"{text}; it has {quoted(sorted(edges.attributes))}", do="set ingest.graph.time")
        return frame, False
    timed = pl.DataFrame({"time": time}).with_row_index("row", offset=1)
    run_checks(timed.lazy(), read.checks("time", time.dtype, config.time), where, problems)
    return frame.with_columns(timed.select(order=read.order)), read.real


def _relations(
    graph: HeteroGraph, config: GraphConfig, domains: tuple[str, ...], problems: Problems
) -> dict[EdgeType, str]:
    """Name the relation of each edge type that is knowledge; say which edge types are neither that nor events."""
    facts, left = list[EdgeType](), list[EdgeType]()
    for edge_type in graph.edges:
        source, relation, target = edge_type
        turned = (target, relation.removeprefix(_REVERSED), source)
        if relation.startswith(_REVERSED) and turned in graph.edges:
            continue
        if config.user not in (source, target):
            facts.append(edge_type)
        elif source != config.user or target not in domains:
            left.append(edge_type)
    if left:
        problems.warn(graph.where, f"edges {quoted(left, 12)} are left out: neither user to item nor knowledge")
    names = [relation for _, relation, _ in facts]
    return {kind: kind[1] if names.count(kind[1]) == 1 else ".".join(kind) for kind in facts}


def _triples(graph: HeteroGraph, edge_type: EdgeType, name: str, ids: Mapping[str, pl.Series]) -> pl.DataFrame:
    edges, (source, _, target) = graph.edges[edge_type], edge_type
    head, tail = _entities(source, ids).gather(edges.source), _entities(target, ids).gather(edges.target)
    return as_triples(pl.DataFrame({"head": head, "tail": tail}).with_columns(relation=pl.lit(name)), graph.where)


def _entities(kind: str, ids: Mapping[str, pl.Series]) -> pl.Series:
    return f"{kind}:" + ids[kind].cast(pl.String)


def _items(graph: HeteroGraph, kind: str, ids: pl.Series) -> pl.DataFrame:
    """One row for each node of an item type: item, domain, entity, text (null where there is none)."""
    attributes = graph.nodes[kind].attributes
    texts = [attributes[name] for name in _TEXTS if name in attributes and attributes[name].dtype == pl.String]
    text = texts[0] if texts else pl.repeat(None, len(ids), dtype=pl.String, eager=True)
    frame = pl.DataFrame({"item": ids, "entity": _entities(kind, {kind: ids}), "text": text})
    return frame.with_columns(domain=pl.lit(kind))


def _counted(graph: HeteroGraph, kind: str, edge_types: list[EdgeType]) -> list[TableRead]:
    sizes = {edge_type: len(graph.edges[edge_type].source) for edge_type in edge_types}
    return [
        TableRead(kind=kind, path=f"{graph.where}: {edge_type}", num_rows=size, num_kept=size)
        for edge_type, size in sizes.items()
    ]
