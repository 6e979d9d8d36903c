"""Samplers: random structure drawn from a graph, by name and by seed, blind to models and losses."""
