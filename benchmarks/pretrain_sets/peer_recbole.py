"""RecBole's LightGCN on gowalla for some minutes and its curve on the test part, beside `benchmarks.pretrain speed`.

    python3 -m venv PEER
    PEER/bin/pip install torch==2.13.0 "numpy<2" "pyarrow<19"
    PEER/bin/pip install recbole==1.2.1 "numpy<2" "pandas<2.2" "scipy<1.12"
    PEER/bin/pip install "setuptools<70"     # pip complains of torch's bound; its ray needs pkg_resources
    PEER/bin/python benchmarks/pretrain_sets/peer_recbole.py --data FOLDER/gowalla --minutes 30 --out curve.json

Runs in that environment of its own: RecBole 1.2.1 does not load beside our dependencies, and nothing of ours is
imported here. Model, loss, sampler and optimiser are RecBole's with its defaults for LightGCN (64 numbers, BPR, Adam
at .001, batches of 2,048; 3 layers as the paper has). It learns from the whole train part. The curve has a row per
evaluation: epochs done, seconds of training, seconds of everything, Recall@20 and NDCG@20 on the test part with the
train items left out. We rank ourselves, since RecBole takes 38 s for it, and do not count that time.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pyarrow.parquet as parquet
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.general_recommender import LightGCN
from recbole.utils import init_seed

CUTOFF, USERS = 20, 512


def main() -> None:
    """Train until the time is over, an evaluation every `--every` minutes, and write the curve after each."""
    options = _arguments()
    began = time.perf_counter()
    train, test = _read(options.data)
    with tempfile.TemporaryDirectory() as folder:
        model, batches, user, item = _build(Path(folder), train, options.seed)
    seen, wanted = (_lists(user[pairs[0]], item[pairs[1]]) for pairs in (train, test))
    prepared, curve, due = time.perf_counter() - began, [], options.every * 60
    for step, trained in _steps(model, batches):
        over = trained >= options.minutes * 60 or step == options.steps
        if trained < due and not over:
            continue
        times = {"train_seconds": round(trained, 1), "seconds": round(prepared + trained, 1)}
        curve.append({"epochs": round(step / len(batches), 3), **times, **_measure(model, seen, wanted)})
        sys.stdout.write(json.dumps(curve[-1]) + "\n")
        sys.stdout.flush()
        options.out.write_text(json.dumps({"peer": "RecBole 1.2.1 LightGCN", "seed": options.seed, "curve": curve}))
        due = trained + options.every * 60
        if over:
            return


def _steps(model: LightGCN, batches: object) -> Iterator[tuple[int, float]]:
    """Train without end; yield the steps and the seconds so far after each, sampling included."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    trained, start = 0.0, time.perf_counter()
    for step, batch in enumerate(chain.from_iterable(repeat(batches)), start=1):
        optimizer.zero_grad()
        model.calculate_loss(batch).backward()
        optimizer.step()
        trained += time.perf_counter() - start
        yield step, trained
        start = time.perf_counter()


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    table = parquet.read_table(folder / "interactions.parquet")
    pairs = np.stack([table[name].to_numpy().astype(np.int64) for name in ("user", "item")])
    is_train = np.asarray(table["split"].to_pylist()) == "train"
    return pairs[:, is_train], pairs[:, ~is_train]


def _build(folder: Path, train: np.ndarray, seed: int) -> tuple[LightGCN, object, np.ndarray, np.ndarray]:
    """Return the model, its batches, and RecBole's number of each user and each item."""
    (folder / "gowalla").mkdir()
    with (folder / "gowalla" / "gowalla.inter").open("w") as file:
        file.write("user_id:token\titem_id:token\n")
        np.savetxt(file, train.T, fmt="%d", delimiter="\t")
    settings = {
        "data_path": str(folder),
        "load_col": {"inter": ["user_id", "item_id"]},
        "eval_args": {"split": {"RS": [1, 0, 0]}, "group_by": None, "order": "RO", "mode": "full"},
        "n_layers": 3,
        "train_batch_size": 2048,
        "seed": seed,
        "use_gpu": False,
        "show_progress": False,
        "checkpoint_dir": str(folder),
        "log_wandb": False,
    }
    # RecBole reads the command line too.
    sys.argv = sys.argv[:1]
    config = Config(model="LightGCN", dataset="gowalla", config_dict=settings)
    init_seed(seed, reproducibility=True)
    dataset = create_dataset(config)
    batches, _, _ = data_preparation(config, dataset)
    model = LightGCN(config, batches.dataset).to("cpu")
    number = [
        np.array([dataset.token2id(name, str(token)) for token in range(int(pairs.max()) + 1)])
        for name, pairs in (("user_id", train[0]), ("item_id", train[1]))
    ]
    return model, batches, number[0], number[1]


def _lists(user: np.ndarray, item: np.ndarray) -> dict[int, np.ndarray]:
    order = np.argsort(user, kind="stable")
    users, start = np.unique(user[order], return_index=True)
    return dict(zip(users.tolist(), np.split(item[order], start[1:]), strict=True))


@torch.no_grad()
def _measure(model: LightGCN, seen: dict[int, np.ndarray], wanted: dict[int, np.ndarray]) -> dict[str, float]:
    """Return the mean over users of Recall@20 and NDCG@20 among all items but those of the train part."""
    z, items = model.forward()
    users = np.array(sorted(wanted))
    gain = 1 / np.log2(np.arange(CUTOFF) + 2)
    recall, ndcg = np.empty(len(users)), np.empty(len(users))
    for start in range(0, len(users), USERS):
        block = users[start : start + USERS]
        scores = z[block] @ items.T
        scores[:, 0] = -torch.inf  # RecBole's padding
        for row, user in enumerate(block.tolist()):
            scores[row, seen.get(user, [])] = -torch.inf
        top = scores.topk(CUTOFF, dim=1).indices.numpy()
        for row, user in enumerate(block.tolist()):
            hit = np.isin(top[row], wanted[user])
            recall[start + row] = hit.sum() / len(wanted[user])
            ndcg[start + row] = (hit * gain).sum() / gain[: len(wanted[user])].sum()
    return {"recall@20": round(float(recall.mean()), 5), "ndcg@20": round(float(ndcg.mean()), 5)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="Folder of interactions.parquet.")
    parser.add_argument("--minutes", type=float, default=30, help="Minutes of training.")
    parser.add_argument("--every", type=float, default=3, help="Minutes of training from one evaluation to the next.")
    parser.add_argument("--steps", type=int, help="Stop after so many steps: to see that it runs.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="The curve, JSON.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
