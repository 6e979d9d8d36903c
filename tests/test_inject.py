"""`graphrec inject`: the user's own triples, wrong ones among them, the truth beside, whole or not at all."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from graphrec.cli.config import load_config
from graphrec.cli.inject import inject_wrong
from graphrec.core.errors import ConfigError, DataError
from graphrec.stages.ingest import ingest, read

YAML = """\
name: small
ingest:
  tables:
    folder: {folder}
    link_by_id: true
    interactions: [{{path: events.csv}}]
    triples: [{{path: triples.csv, label: fine}}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A shop of 30 products with a kind and a maker, one of the triples labelled wrong."""
    events = ["user,item,domain", *(f"u{i % 7},p{i},shop" for i in range(30))]
    facts = [f"p{i},kind,kind {'ABCDEF'[i % 6]}" for i in range(30)] + [f"p{i},maker,maker {i % 5}" for i in range(30)]
    triples = ["head,relation,tail,fine", *(f"{fact},{'false' if i == 3 else ''}" for i, fact in enumerate(facts))]
    (tmp_path / "events.csv").write_text("\n".join(events))
    (tmp_path / "triples.csv").write_text("\n".join(triples))
    path = tmp_path / "small.yaml"
    path.write_text(YAML.format(folder=tmp_path))
    return path


@pytest.mark.parametrize("kind", ["uniform", "same_type", "near", "mixed"])
def test_wrong_triples_are_mixed_in_and_told(config: Path, tmp_path: Path, kind: str) -> None:
    lines = inject_wrong(config, [], tmp_path / "noisy", share=0.25, kind=kind, seed=1)
    triples, truth = (pl.read_parquet(tmp_path / "noisy" / f"{name}.parquet") for name in ("triples", "truth"))
    assert triples.equals(truth.select("head", "relation", "tail", "confidence"))
    assert "80 triples, 20 of them wrong on purpose" in lines[0]
    source = pl.read_csv(config.parent / "triples.csv").select("head", "relation", "tail")
    own = truth.filter(pl.col("kind").is_in(["true", "labelled"])).select("head", "relation", "tail")
    assert own.sort(own.columns).equals(source.sort(source.columns))
    assert truth.filter(pl.col("kind") == "labelled")["head"].to_list() == ["p3"]
    assert truth.filter(~pl.col("is_true"))["kind"].value_counts()["count"].sum() == 21
    expected = {"uniform", "same_type", "near"} if kind == "mixed" else {kind}
    assert set(truth["kind"]) == {"true", "labelled"} | expected
    wrong = truth.filter(pl.col("kind").is_in(list(expected)))
    assert wrong.join(source, on=source.columns, how="inner").is_empty()


def test_what_is_printed_works_as_a_configuration(config: Path, tmp_path: Path) -> None:
    lines = inject_wrong(config, [], tmp_path / "noisy", share=0.25, kind="same_type", seed=None)
    start = lines.index("ingest:")
    entry = lines[start + 3].strip().removeprefix("- ")
    loaded = load_config(config, [f"ingest.tables.triples=[{entry}]"])
    built, labels = ingest(read(loaded.ingest), loaded.ingest, seed=0)
    assert labels is not None and (len(labels), int((~labels).sum())) == (80, 21)
    assert len(built.dataset.triples) == 80


def test_the_seed_decides(config: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        inject_wrong(config, [], tmp_path / name, share=0.2, kind="mixed", seed=seed)
    first, again, other = (pl.read_parquet(tmp_path / name / "truth.parquet") for name in "abc")
    assert first.equals(again) and not first.equals(other)


def test_refusals_write_nothing(config: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="'absurd': expected one of uniform, same_type, near, mixed"):
        inject_wrong(config, [], tmp_path / "noisy", share=0.2, kind="absurd", seed=None)
    with pytest.raises(ConfigError, match="ingest.corrupt.share: is set already"):
        inject_wrong(config, ["ingest.corrupt.share=0.1"], tmp_path / "noisy", share=0.2, kind="near", seed=None)
    with pytest.raises(DataError, match="exists and is not an empty folder"):
        inject_wrong(config, [], tmp_path, share=0.2, kind="near", seed=None)
    with pytest.raises(DataError, match="no triples"):
        inject_wrong(config, ["ingest.tables.triples=[]"], tmp_path / "noisy", share=0.2, kind="near", seed=None)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command(config: Path, tmp_path: Path) -> None:
    program = str(Path(sys.executable).parent / "graphrec")
    command = [program, "inject", str(config), "--share", "0.2", "--kind", "near", "--out", str(tmp_path / "noisy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "label: is_true" in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2 and again.stderr.startswith("error: ") and again.stderr.count("\n") == 1
