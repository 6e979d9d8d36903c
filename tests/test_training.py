"""The training loop: it learns, stops early, keeps the best epoch and resumes to the same bytes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from graphrec.core.errors import ConfigError
from graphrec.core.seeds import generator
from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.training.config import FitConfig
from graphrec.training.loop import FitResult, fit


class Line:
    """Least squares for y = 2 x; `valid` scores an epoch, None where it is not given."""

    def __init__(self, scores=None, die_at=None, scale=1.0):
        self.weight = torch.nn.Parameter(torch.zeros(3))
        self.scores, self.die_at, self.scale, self.epochs = scores, die_at, scale, []

    def parameters(self):
        return {"weight": self.weight}

    def batches(self, epoch):
        self.epochs.append(epoch)
        if epoch == self.die_at:
            raise KeyboardInterrupt
        draw = generator(1, "line", epoch)
        return [torch.from_numpy(draw.normal(size=3).astype(np.float32)) for _ in range(4)]

    def loss(self, batch):
        return self.scale * ((self.weight - 2) * batch).pow(2).sum()

    def validate(self):
        if self.scores is None:
            return None
        return self.scores[len(self.epochs)]


def run(task, config, folder: Path, seed=0, tracker=None) -> FitResult:
    return fit(task, config, seed=seed, workspace=Workspace(folder), tracker=tracker or NullTracker(), label="line")


def test_learns_and_without_validation_the_last_epoch_counts(tmp_path):
    task = Line()
    result = run(task, FitConfig(epochs=60, lr=0.1), tmp_path)
    assert torch.allclose(task.weight, torch.full((3,), 2.0), atol=0.05)
    assert result.best_epoch == 60 and result.best is None and result.start is None
    assert [row["epoch"] for row in result.curve] == list(range(1, 61))
    assert result.curve[-1]["loss"] < result.curve[0]["loss"] / 100


def test_the_best_epoch_is_kept_and_patience_ends_the_fit(tmp_path):
    task, early = Line(scores=[0.1, 0.2, 0.5, 0.3, 0.4, 0.9]), Line(scores=[0.1, 0.2, 0.5])
    for name in "ab":
        (tmp_path / name).mkdir()
    result = run(task, FitConfig(epochs=5, patience=2), tmp_path / "a")
    assert task.epochs == [1, 2, 3, 4] and result.best_epoch == 2 and result.best == 0.5 and result.start == 0.1
    run(early, FitConfig(epochs=2), tmp_path / "b")
    assert torch.equal(task.weight, early.weight)


def test_parameters_that_no_epoch_beats_are_kept(tmp_path):
    task = Line(scores=[0.9, 0.2, 0.3])
    assert run(task, FitConfig(epochs=2), tmp_path).best_epoch == 0
    assert torch.equal(task.weight, torch.zeros(3))


def test_nan_is_no_score_and_eval_every_skips_but_scores_the_last_epoch(tmp_path):
    result = run(Line(scores=[math.nan, 0, 0.2, 0, 0.1, 0.3]), FitConfig(epochs=5, eval_every=2), tmp_path)
    assert [row["valid"] for row in result.curve] == [None, 0.2, None, 0.1, 0.3]
    assert result.start is None and result.best_epoch == 5


@pytest.mark.parametrize("die_at", [1, 2, 5, 8])
def test_a_killed_fit_resumes_to_the_same_bytes(tmp_path, die_at):
    config, scores = FitConfig(epochs=8, lr=0.05, weight_decay=0.01, clip=1.0, patience=9), [0, 1, 3, 2, 4, 5, 6, 2, 1]
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = Line(scores)
    expected = run(whole, config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Line(scores, die_at=die_at), config, tmp_path / "killed")
    resumed = Line(scores[die_at - 1 :])
    result = run(resumed, config, tmp_path / "killed")
    assert resumed.epochs == list(range(die_at, 9))
    assert torch.equal(whole.weight, resumed.weight) and result == expected
    again = Line(scores)
    assert run(again, config, tmp_path / "killed") == expected
    assert again.epochs == [] and torch.equal(again.weight, whole.weight)


def test_a_fit_that_stops_goes_at_the_rates_of_the_whole(tmp_path):
    config = FitConfig(epochs=9, lr=0.1, schedule="cosine")
    whole, part = Line(scores=[0.0, 1.0, 2.0, 3.0, *[0.0] * 6]), Line()
    for name in "ab":
        (tmp_path / name).mkdir()
    kept = run(whole, config, tmp_path / "a").best_epoch
    result = fit(
        part, config, seed=0, workspace=Workspace(tmp_path / "b"), tracker=NullTracker(), label="line", stop=kept
    )
    assert kept == 3 == result.best_epoch and torch.equal(whole.weight, part.weight)


def test_a_checkpoint_of_another_fit_is_not_used(tmp_path):
    run(Line(), FitConfig(epochs=3), tmp_path)
    for other in ({"seed": 1, "config": FitConfig(epochs=3)}, {"seed": 0, "config": FitConfig(epochs=2)}):
        task = Line()
        run(task, other["config"], tmp_path, seed=other["seed"])
        assert task.epochs[0] == 1


def test_one_checkpoint_file_is_kept_and_no_part_files(tmp_path):
    run(Line(), FitConfig(epochs=3), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["line.final.safetensors", "line.json"]


def test_zero_epochs_change_nothing(tmp_path):
    task = Line(scores=[0.5])
    result = run(task, FitConfig(epochs=0), tmp_path)
    assert result.best_epoch == 0 and result.best == 0.5 and torch.equal(task.weight, torch.zeros(3))


def test_a_loss_that_is_not_finite_says_what_to_change(tmp_path):
    with pytest.raises(ConfigError, match="line: the loss is nan in epoch 1; lower `lr`"):
        run(Line(scale=float("inf")), FitConfig(epochs=2), tmp_path)


def test_parameters_that_the_last_step_breaks_say_what_to_change(tmp_path):
    class Steep(Line):
        def batches(self, epoch):
            return super().batches(epoch)[:1]

        def loss(self, batch):
            return (0 * self.weight).sqrt().sum()  # zero, with a slope of infinity times zero

    with pytest.raises(ConfigError, match="line: a parameter is no longer finite in epoch 1; lower `lr`"):
        run(Steep(), FitConfig(epochs=1), tmp_path)


def test_metrics_go_to_the_tracker_once_per_epoch(tmp_path):
    class Memory(NullTracker):
        def __init__(self):
            self.rows = []

        def log_metrics(self, metrics, step=0):
            self.rows.append((step, sorted(metrics)))

    tracker = Memory()
    run(Line(scores=[0.0, 0.1, 0.2]), FitConfig(epochs=2), tmp_path, tracker=tracker)
    assert tracker.rows == [(1, ["line/loss", "line/valid"]), (2, ["line/loss", "line/valid"])]


def test_products_have_the_asked_precision_in_training_alone(tmp_path):
    class Watching(Line):
        def loss(self, batch):
            seen.append(("loss", torch.get_float32_matmul_precision()))
            return super().loss(batch)

        def validate(self):
            seen.append(("validate", torch.get_float32_matmul_precision()))
            return None

    seen: list[tuple[str, str]] = []
    run(Watching(), FitConfig(epochs=1, precision="medium"), tmp_path)
    assert set(seen) == {("loss", "medium"), ("validate", "highest")}
    assert torch.get_float32_matmul_precision() == "highest"
    with pytest.raises(KeyboardInterrupt):
        run(Watching(die_at=1), FitConfig(epochs=1, precision="high"), tmp_path)
    assert torch.get_float32_matmul_precision() == "highest"
