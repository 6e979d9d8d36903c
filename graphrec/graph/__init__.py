"""The typed multi-domain graph: users, items, entities; events by domain; knowledge by relation.

build.py ──> graph.py (arrays, save, load) ──┬─> histories.py  (who had what, in order, with one event left out)
                                             ├─> adjacency.py  (normalised sparse matrices, propagation)
                                             ├─> knowledge.py  (the triples as one list of edges)
                                             └─> _pyg.py       (the same graph as PyG HeteroData)
"""
