"""Strong simple recommenders: what a graph model has to beat before anyone should use it.

| name | idea | learns |
|---|---|---|
| popularity | the same list for everyone | counts |
| item_knn | items that share users (cosine) | sparse item-item weights |
| rp3beta | a three-step random walk, popular ends damped | sparse item-item weights |
| ease | linear regression of each item on all others | dense item-item weights |
| ials | matrix factorisation with confidence weights | user and item vectors |

All see one domain's history and nothing else. `registry.py` lists them.
"""
