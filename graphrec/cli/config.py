"""The configuration of a whole run: a name, a target, a seed, and one section per stage."""

from pathlib import Path

from finetune.config import AdaptConfig, SelectConfig
from graphrec.cli.sweep.config import SweepConfig
from graphrec.core.config import FieldDoc, apply_overrides, config, describe, option, parse, read_yaml
from graphrec.stages.config import EvaluateConfig, ExportConfig, IngestConfig, LongtailConfig, MergeConfig
from kg_denoise.config import DenoiseConfig
from pretrain.config import InheritConfig, PretrainConfig


@config
class RunConfig:
    """Options of a run."""

    name: str = option(help="Name of the run; its folder is runs/NAME unless --out says otherwise.")
    target: str = option(default="", help="The domain that the run is for; ingest, denoise and merge need none.")
    sources: tuple[str, ...] = option(default=(), help="Domains to pretrain on; empty means all but the target.")
    seed: int = option(default=0, ge=0, help="Seed of every random choice.")
    base: InheritConfig = option(default=InheritConfig(), help="A finished run to build on instead of pretraining.")
    ingest: IngestConfig = option(default=IngestConfig(), help="Tables in, everything checked.")
    denoise: DenoiseConfig = option(default=DenoiseConfig(), help="A probability of being true for every triple.")
    merge: MergeConfig = option(default=MergeConfig(), help="One graph of users, items and entities.")
    pretrain: PretrainConfig = option(default=PretrainConfig(), help="The multi-domain encoder.")
    select: SelectConfig = option(default=SelectConfig(), help="Which source domains help the target.")
    adapt: AdaptConfig = option(default=AdaptConfig(), help="Fine-tuning on the chosen domains, guarded.")
    longtail: LongtailConfig = option(default=LongtailConfig(), help="Random-walk samples and the item-to-item model.")
    evaluate: EvaluateConfig = option(default=EvaluateConfig(), help="Full ranking beside the baselines.")
    export: ExportConfig = option(default=ExportConfig(), help="Embeddings in formats that others read.")
    sweep: SweepConfig = option(default=SweepConfig(), help="A search over these options by whole runs.")


def load_config(path: Path, overrides: list[str]) -> RunConfig:
    """Read a run's YAML and apply `key=value` overrides; raise `ConfigError` listing every problem."""
    return parse(RunConfig, apply_overrides(read_yaml(path), overrides), source=str(path))


def options_of(stage: str) -> list[FieldDoc]:
    """Return every option of `stage` by its full path, or those of the whole run for "run"."""
    return [doc for doc in describe(RunConfig) if stage == "run" or doc.path.startswith(f"{stage}.")]
