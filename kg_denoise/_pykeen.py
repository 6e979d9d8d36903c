"""Plausibility of a triple under a knowledge-graph embedding: PyKEEN behind the signal protocol.

PyKEEN draws from torch's global generator and warns about its own calls to torch; both are kept
inside this file. Negatives are pseudo-typed (heads and tails that the relation is used with),
since wrong triples worth finding have ends of the right type.
"""

import gc
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from graphrec.core.errors import ConfigError
from graphrec.core.types import BoolArray, FloatArray
from graphrec.data.dataset import Triples
from kg_denoise.config import MODELS, EmbeddingConfig
from kg_denoise.fold import Fold

with warnings.catch_warnings():
    # PyKEEN imports torch_geometric, which still calls torch.jit.script.
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
    from pykeen.losses import loss_resolver
    from pykeen.models import Model, model_resolver
    from pykeen.training import SLCWATrainingLoop
    from pykeen.training.training_loop import NonFiniteLossError
    from pykeen.triples import CoreTriplesFactory
    from pykeen.utils import NoRandomSeedNecessary

_SCORED_AT_ONCE = 65536
_LEAST_STEPS = 8


class EmbeddingSignal:
    """Scores by an embedding model: TransE, RotatE and MuRE by distance, DistMult and ComplEx by product.

    Distance models are trained with the self-adversarial loss of RotatE (Sun et al. 2019),
    -log sig(margin - d) - sum_i p_i log sig(d_i - margin) with p_i ~ exp(-temperature * d_i);
    DistMult with InfoNCE (van den Oord et al. 2018), ComplEx with the logistic loss of its paper
    (Trouillon et al. 2016), but without its weight decay.
    """

    def __init__(self, options: EmbeddingConfig) -> None:
        self._options = options

    def score(self, fold: Fold) -> FloatArray:
        """Train on `fold.train` and score `fold.asked`; log the loss of every epoch.

        A triple with an end that no triple of `fold.train` has gets NaN.

        Raises `ConfigError` when training diverges.
        """
        factory = CoreTriplesFactory(
            _tensor(fold.train), num_entities=fold.num_entities, num_relations=fold.num_relations
        )
        with _seeded(fold.seed):
            model = self._model(factory)
            losses = self._train(model, factory)
        for epoch, loss in enumerate(losses):
            fold.tracker.log_metrics({f"loss_fold_{fold.index}": loss}, step=epoch)
        # An end that training never met still has its random vector, whose score would be chance.
        return np.where(_seen(fold), _scores(model, _tensor(fold.asked)), np.float32(np.nan))

    def _model(self, factory: CoreTriplesFactory) -> Model:
        options, recipe = self._options, MODELS[self._options.model]
        margin = {"margin": options.margin or recipe.margin, "adversarial_temperature": options.temperature}
        return model_resolver.make(
            options.model,
            triples_factory=factory,
            embedding_dim=options.dim,
            random_seed=NoRandomSeedNecessary,
            loss=loss_resolver.make(recipe.loss, {} if recipe.margin is None else margin),
            **recipe.changed,
        )

    def _train(self, model: Model, factory: CoreTriplesFactory) -> list[float]:
        options, num = self._options, factory.num_triples
        loop = SLCWATrainingLoop(
            model=model,
            triples_factory=factory,
            optimizer="Adam",
            optimizer_kwargs={"lr": options.lr},
            automatic_memory_optimization=False,
            negative_sampler="pseudotyped",
            negative_sampler_kwargs={"num_negs_per_pos": options.num_negatives},
        )
        # PyKEEN makes its checkpoint folder even when it keeps none, by default in the user's home.
        with tempfile.TemporaryDirectory() as scratch, _cheap_collections(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Training instances are always shuffled", DeprecationWarning)
            try:
                losses = loop.train(
                    factory,
                    num_epochs=options.epochs,
                    batch_size=min(options.batch_size, -(-num // _LEAST_STEPS)),
                    use_tqdm=False,
                    pin_memory=False,
                    checkpoint_directory=scratch,
                )
            except NonFiniteLossError:
                raise ConfigError(f"denoise.embedding: {options.model} diverged; lower lr ({options.lr:g})") from None
        return list(losses)


@contextmanager
def _cheap_collections() -> Iterator[None]:
    # PyKEEN collects garbage after every epoch; what stood before need not be walked each time (a third of the run).
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    # The caller's stream is put back, so that scoring a fold disturbs nobody else's numbers.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _tensor(triples: Triples) -> Tensor:
    return torch.from_numpy(np.stack([triples.head, triples.relation, triples.tail], axis=1))  # [n, 3]


def _seen(fold: Fold) -> BoolArray:
    met = np.zeros(fold.num_entities, dtype=np.bool_)
    met[fold.train.head] = met[fold.train.tail] = True
    return met[fold.asked.head] & met[fold.asked.tail]


def _scores(model: Model, asked: Tensor) -> FloatArray:
    model.eval()
    with torch.inference_mode():
        parts = [model.score_hrt(part).squeeze(1) for part in torch.split(asked, _SCORED_AT_ONCE)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)
