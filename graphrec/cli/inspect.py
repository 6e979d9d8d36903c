"""`graphrec inspect`: bring ingest up to date, print what is in the data, write the page."""

from pathlib import Path

from rich.console import Console

from graphrec.cli.config import load_config
from graphrec.cli.pipeline import bring, make_recipes
from graphrec.cli.table import STAGES
from graphrec.core import files
from graphrec.core.artifacts import RunFolder
from graphrec.core.tracking import NullTracker
from graphrec.report.inspect_page import write_inspect
from graphrec.report.inspect_terminal import inspect_summary


def inspect_data(config: Path, overrides: list[str], out: Path | None) -> Path:
    """Print the summary of the data that `config` names and return the page, inspect.html in the run folder.

    What is current in a finished run stays so: `run.json` is not touched, and a later run takes the
    ingested data over as they are.
    """
    loaded = load_config(config, overrides)
    run = RunFolder(out or Path("runs") / loaded.name)
    with run.lock():
        recipe = make_recipes(loaded, ["ingest"])["ingest"]
        artifact = bring(run, STAGES["ingest"], recipe, {}, loaded, NullTracker())
        summary = files.read_json(artifact.file("summary.json"))
        page = run.path / "inspect.html"
        write_inspect(summary, loaded.name, page)
    console = Console()
    for part in inspect_summary(summary["profile"]):
        console.print(part)
    return page
