"""The command line. Importing it is cheap: every command imports what it needs when it is called."""

import difflib
import json
import logging
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

import graphrec
from graphrec.cli.table import STAGES
from graphrec.core.errors import GraphrecError

if TYPE_CHECKING:
    from graphrec.core.config import FieldDoc

app = typer.Typer(
    name="graphrec",
    help="Graph pretraining and cross-domain transfer for recommendation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file of the run.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Options to change.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the run; runs/NAME by default.")]
Track = Annotated[bool, typer.Option(help="Record the run in MLflow.")]

_WIDE = 10_000
"""Columns of a table that goes to a file or a pipe: there a row is a line."""


def main() -> None:
    """Run the command line; a mistake that a user can mend is one clear message and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("graphrec").setLevel(logging.INFO)
    try:
        _check_packages()
        app()
    except GraphrecError as error:
        sys.exit(_fail(str(error)))


@app.command()
def run(config: ConfigPath, overrides: Overrides = None, out: Out = None, track: Track = True) -> None:
    """Run every stage; finished ones are skipped, a killed run resumes."""
    _run(config, overrides, out, track, list(STAGES))


def _run(config: Path, overrides: list[str] | None, out: Path | None, track: bool, names: list[str]) -> None:
    from graphrec.cli.config import load_config
    from graphrec.cli.pipeline import run_stages

    loaded = load_config(config, overrides or [])
    run_stages(loaded, out or Path("runs") / loaded.name, names, track=track)


class _StageCommand(TyperCommand):
    """A stage's command, whose help ends with the stage's options."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Add the options, read from the stage's config class only when help is asked for."""
        from graphrec.cli.config import options_of

        _write_options(formatter, options_of(str(ctx.info_name)))


def _write_options(formatter: Any, options: "Iterable[FieldDoc]") -> None:
    with formatter.section("Configuration (KEY=VALUE, or in the YAML)"):
        formatter.write_dl([(d.path, f"{d.help} [{'; '.join(filter(None, (d.default, d.range)))}]") for d in options])


def _stage_command(name: str, help_text: str) -> None:
    def command(config: ConfigPath, overrides: Overrides = None, out: Out = None, track: Track = True) -> None:
        from graphrec.cli.table import needed

        _run(config, overrides, out, track, needed(name))

    app.command(name, cls=_StageCommand, help=help_text)(command)


_HELP = {
    "ingest": "Read the tables, check them, assign ids, split.",
    "denoise": "Give every triple a calibrated probability of being true.",
    "merge": "Join interactions and triples in one graph.",
    "pretrain": "Train the multi-domain encoder on the source domains.",
    "select": "Find the source domains that help the target.",
    "longtail": "Train the item-to-item model on random-walk samples.",
    "evaluate": "Rank the whole catalogue, beside the baselines.",
    "export": "Write embeddings, index and neighbours.",
}

for _name, _text in _HELP.items():
    _stage_command(_name, f"{_text} Runs what it needs first.")


@app.command(cls=_StageCommand)
def adapt(
    config: Annotated[Path, typer.Argument(metavar="CONFIG|RUN", help="YAML of a run, or a finished run's folder.")],
    overrides: Overrides = None,
    target: Annotated[
        Path | None, typer.Option("--target", help="YAML of a domain that arrived later; needs RUN.")
    ] = None,
    out: Out = None,
    track: Track = True,
) -> None:
    """Fine-tune on the chosen domains, guarded; with --target, a new domain on a finished run."""
    from graphrec.cli.table import needed

    if target is None and config.is_dir():
        raise GraphrecError(
            f"{config}: a run's folder needs --target DOMAIN.yaml, the domain that arrived later; to adapt again, give "
            "the YAML of the run"
        )
    if target is None:
        _run(config, overrides, out, track, needed("adapt"))
    else:
        base = [f"base.run={json.dumps(str(config))}", *(overrides or [])]
        _run(target, base, out, track, list(STAGES))


@app.command()
def show(stage: Annotated[str, typer.Argument(help="A stage, `sweep`, or `run` for everything.")]) -> None:
    """Print every option of a stage: default, range and what it does."""
    from rich.console import Console
    from rich.table import Table

    from graphrec.cli.config import options_of

    if stage not in ("run", "sweep", *STAGES):
        close = difflib.get_close_matches(stage, (*STAGES, "sweep"), n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise typer.BadParameter(f"no stage {stage!r}; {meant}there are {', '.join((*STAGES, 'sweep', 'run'))}")
    table = Table(box=None, header_style="bold")
    # Whoever reads these types them: a key is never cut.
    table.add_column("option", no_wrap=True)
    for heading in ("type", "default", "range", "help"):
        table.add_column(heading, overflow="fold")
    for doc in _sweep_options() if stage == "sweep" else options_of(stage):
        table.add_row(doc.path, doc.type, doc.default, doc.range, doc.help)
    console = Console()
    (console if console.is_terminal else Console(width=_WIDE)).print(table)


@app.command()
def init(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]...", help="Your tables, or folders of them.")
    ] = None,
    example: Annotated[str | None, typer.Option("--example", help="Name of a shipped configuration.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; own.yaml or NAME.yaml by default.")] = None,
) -> None:
    """Propose a configuration for your files, reasons included; without files, list or write shipped ones."""
    if files and example:
        raise typer.BadParameter("give either files or --example, not both")
    for line in _write_own(files, out) if files else _write_example(example, out):
        typer.echo(line)


def _write_own(files: list[Path], out: Path | None) -> list[str]:
    from graphrec.cli.init import write_config

    return write_config(files, out)


def _write_example(example: str | None, out: Path | None) -> list[str]:
    from graphrec.cli.examples import list_examples, write_example

    return [f"wrote {write_example(example, out)}"] if example else list_examples()


@app.command()
def inspect(config: ConfigPath, overrides: Overrides = None, out: Out = None) -> None:
    """Show what is in the data: sizes, overlaps, tails, knowledge, leaks, and what a run will cost."""
    from graphrec.cli.inspect import inspect_data

    typer.echo(f"page: {inspect_data(config, overrides or [], out)}")


@app.command()
def inject(
    config: ConfigPath,
    out: Annotated[Path, typer.Option("--out", help="New folder for the triples and their truth.")],
    overrides: Overrides = None,
    share: Annotated[
        float, typer.Option("--share", min=0, max=0.9, help="Part of the written table that is wrong.")
    ] = 0.2,
    kind: Annotated[str, typer.Option("--kind", help="uniform, same_type, near, or mixed: a third of each.")] = "mixed",
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of the draws; the run's by default.")] = None,
) -> None:
    """Write the run's triples with wrong ones mixed in, and the truth, to see what denoising finds."""
    from graphrec.cli.inject import inject_wrong

    for line in inject_wrong(config, overrides or [], out, share=share, kind=kind, seed=seed):
        typer.echo(line)


class _SimulateCommand(TyperCommand):
    """The simulator's command, whose help ends with the options of a world."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Add the options, read from the config class only when help is asked for."""
        from graphrec.core.config import describe
        from graphrec.data.simulate.config import SimulateConfig

        _write_options(formatter, describe(SimulateConfig))


@app.command(cls=_SimulateCommand)
def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder for the tables and a configuration.")],
    overrides: Overrides = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="New folder for the truth; OUT-truth by default.")
    ] = None,
) -> None:
    """Make a planted world: domains of known worth, a knowledge graph with known errors."""
    from graphrec.data.simulate import plant

    world = plant(out, overrides or [], truth)
    typer.echo(f"wrote {out}: target {world.target}; run it with `graphrec run {out / 'world.yaml'}`")


@app.command()
def recommend(
    run: RunPath,
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write: user, item, rank, score.")],
    domain: Annotated[
        str | None, typer.Option("--domain", help="Domain to recommend from; the target by default.")
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, help="Items per user.")] = 10,
    users: Annotated[
        Path | None, typer.Option("--users", help="Text file of user ids, one a line; all by default.")
    ] = None,
) -> None:
    """Write the top items of all or the listed users, without what they already have."""
    from graphrec.cli.recommend import write_recommendations

    typer.echo(f"wrote {write_recommendations(run, out, domain=domain, k=k, users=users)}")


@app.command()
def report(run: RunPath) -> None:
    """Write the report of a finished run again and print its table."""
    from rich.console import Console

    from graphrec.core.artifacts import RunFolder
    from graphrec.report import run_summary, write_report

    folder = RunFolder.open(run)
    write_report(folder, run / "report.html")
    Console().print(run_summary(folder))
    typer.echo(f"report: {run / 'report.html'}")


@app.command()
def worth(
    run: RunPath,
    overrides: Overrides = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each arm; below 3 is no evidence.")] = 3,
) -> None:
    """Measure what the run's triples are worth: trained with all, denoised, random and none of them."""
    from graphrec.cli.worth import show_worth

    show_worth(run, overrides or [], seeds)


class _SweepCommand(TyperCommand):
    """The sweep's command, whose help ends with the options of a search."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Add the options, read from the config classes only when help is asked for."""
        _write_options(formatter, _sweep_options())


def _sweep_options() -> "list[FieldDoc]":
    from graphrec.cli.config import options_of
    from graphrec.cli.sweep.config import parameter_options

    return [*options_of("sweep"), *parameter_options()]


@app.command(cls=_SweepCommand)
def sweep(
    config: ConfigPath,
    overrides: Overrides = None,
    out: Out = None,
    storage: Annotated[
        str,
        typer.Option("--storage", envvar="GRAPHREC_STORAGE", help="Database URL, or journal file, of the study."),
    ] = "",
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes to start here.")] = 1,
    show: Annotated[bool, typer.Option("--show", help="Only print what was found so far.")] = False,
    track: Track = True,
) -> None:
    """Search options of the run, as `sweep` in the configuration says; started again, it goes on."""
    from graphrec.cli.sweep.command import Sweep, run_sweep

    asked = Sweep(path=config, overrides=tuple(overrides or ()), out=out, storage=storage, track=track)
    run_sweep(asked, workers, show_only=show)


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000) -> None:
    """Open MLflow on the local store, bound to loopback."""
    from graphrec.core._mlflow import serve

    serve(port)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        typer.echo(graphrec.__version__)
        raise typer.Exit


def _check_packages() -> None:
    """Refuse to start when another distribution has overwritten one of our four packages."""
    home = Path(graphrec.__file__).parent.parent
    for name in ("pretrain", "finetune", "kg_denoise"):
        spec = find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).parent.parent != home:
            where = spec.origin if spec else "nowhere"
            raise GraphrecError(
                f"package {name!r} is not graphrec's own (found {where}); another distribution of that name is "
                "installed: uninstall it and install graphrec again"
            )


def _fail(message: str) -> int:
    lines = message.splitlines() or ["unknown error"]
    sys.stderr.write("".join(f"error: {line}\n" for line in lines))
    return 2
