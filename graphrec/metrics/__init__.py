"""Full-ranking metrics: they see ranks, never scores or models.

    scorer ─ ranking.py ─> Ranks (0-based rank of each held-out item among all unseen items)
                 │            └─ measures.py: hr, recall, ndcg, mrr per user
                 └───────> top items of each user ─ coverage.py
    groups.py cuts items by popularity; compare.py says whether two models differ by more than chance.

Conventions, the same everywhere: all items of the domain compete, items of the user's history do
not, and a tie counts half: rank = #(greater) + 0.5 * #(other equal). A rank may thus be a fraction;
it is a hit at k when it is below k. A constant scorer gets the middle rank, not the first.
"""
