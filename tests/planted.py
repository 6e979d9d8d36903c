"""A planted target: users like items by taste; source A knows the taste, source B knows nothing.

Tastes and items are unit vectors; a user's events follow the softmax of their taste. Three events
say little about a taste, so a source that knows it must help, and one that does not must not.
"""

import numpy as np

from finetune.config import AdaptConfig, ModelConfig, SelectConfig
from finetune.target import Target
from graphrec.encoders.config import ViewsConfig
from graphrec.encoders.pretrained import FULL, TRAIN, Pretrained
from graphrec.graph.graph import EventEdges, MultiDomainGraph
from graphrec.training.config import FitConfig

NUM_USERS, NUM_ITEMS, TASTE, VIEW = 500, 120, 6, 8
EVENTS = 5  # per user; the last one is the test and not in the graph, the one before it the validation

MODEL = ModelConfig(encoder=ViewsConfig(dim=16, kg_weight=0.0), num_negatives=64)
SELECT = SelectConfig(model=MODEL, fit=FitConfig(epochs=6, lr=0.02, batch_size=256, patience=2))
ADAPT = AdaptConfig(
    model=MODEL,
    fit=FitConfig(epochs=6, lr=0.02, batch_size=256, patience=2),
    transfer=FitConfig(epochs=6, lr=0.02, batch_size=256, patience=2),
    bootstrap=300,
)


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def world(views: dict[str, np.ndarray], seed: int = 0) -> tuple[Target, np.ndarray]:
    """Return the target with the given source views, and the test item of each user."""
    rng = np.random.default_rng(seed)
    taste, item = unit(rng.normal(size=(NUM_USERS, TASTE))), unit(rng.normal(size=(NUM_ITEMS, TASTE)))
    noisy = 6 * taste @ item.T + rng.gumbel(size=(NUM_USERS, NUM_ITEMS))
    liked = np.argsort(-noisy, axis=1)[:, :EVENTS]
    liked = rng.permuted(liked, axis=1)
    events = EventEdges(
        user=np.repeat(np.arange(NUM_USERS), EVENTS - 1),
        item=liked[:, :-1].ravel(),
        valid=np.tile(np.arange(EVENTS - 1) == EVENTS - 2, NUM_USERS),
    )
    graph = MultiDomainGraph(
        num_users=NUM_USERS,
        num_items=NUM_ITEMS,
        num_entities=0,
        catalog={"new": np.arange(NUM_ITEMS)},
        events={"new": events},
        knowledge={},
    )
    known = {name: np.ascontiguousarray(view, dtype=np.float32) for name, view in views.items()}
    pretrained = Pretrained(
        domains=tuple(known),
        dim=VIEW,
        user_views={TRAIN: known, FULL: known},
        item={TRAIN: {}, FULL: {}},
        entity=np.zeros((0, VIEW), dtype=np.float32),
    )
    return Target.of(graph, "new", pretrained, tuple(known)), liked[:, -1]


def relevant(seed: int = 0) -> np.ndarray:
    """The view of a source that knows each user's taste, in a space of its own."""
    taste = unit(np.random.default_rng(seed).normal(size=(NUM_USERS, TASTE)))
    return unit(taste @ np.random.default_rng(99).normal(size=(TASTE, VIEW)))


def unrelated(seed: int) -> np.ndarray:
    """The view of a source that has nothing to do with the target."""
    return unit(np.random.default_rng(1000 + seed).normal(size=(NUM_USERS, VIEW)))
