"""Templates of the report, the only file that imports jinja2. Every value is escaped unless it is `Markup`."""

from collections.abc import Mapping

import jinja2

from graphrec.report import formats

_FILTERS = {
    "change": formats.change,
    "count": formats.count,
    "model": formats.model,
    "percent": formats.percent,
    "score": formats.score,
    "signed": formats.signed,
}


def render(template: str, values: Mapping[str, object]) -> str:
    """Return `templates/TEMPLATE` filled with `values`; an undefined name is a mistake of ours and raises."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("graphrec.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(_FILTERS)
    return environment.get_template(template).render(values)
