"""Encoders and what they hand over."""

import numpy as np
import pytest

from graphrec.core.errors import ArtifactError
from graphrec.encoders.pretrained import FULL, TRAIN, Pretrained


def some_pretrained(domains=("a", "b")):
    draw = np.random.default_rng(0)

    def array(rows):
        return draw.normal(size=(rows, 4)).astype(np.float32)

    return Pretrained(
        domains=domains,
        dim=4,
        user_views={h: {d: array(5) for d in domains} for h in (TRAIN, FULL)},
        item={h: {d: array(3) for d in domains} for h in (TRAIN, FULL)},
        entity=array(2),
    )


@pytest.mark.parametrize("domains", [(), ("a",), ("a", "b")])
def test_pretrained_survives_save_and_load(tmp_path, domains):
    made = some_pretrained(domains)
    made.save(tmp_path)
    back = Pretrained.load(tmp_path)
    assert back.domains == domains and back.dim == 4 and np.array_equal(back.entity, made.entity)
    for history in (TRAIN, FULL):
        assert list(back.item[history]) == list(domains)
        for domain in domains:
            assert np.array_equal(back.user_views[history][domain], made.user_views[history][domain])
            assert np.array_equal(back.item[history][domain], made.item[history][domain])


def test_a_damaged_pretrained_is_one_clear_error(tmp_path):
    some_pretrained(("a",)).save(tmp_path)
    (tmp_path / "pretrained.json").write_text('{"domains": ["a", "c"], "dim": 4}')
    with pytest.raises(ArtifactError, match="lacks 'user/train/c'; run pretrain again"):
        Pretrained.load(tmp_path)
