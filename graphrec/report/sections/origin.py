"""Where the data came from, and everything needed to make this run again."""

import yaml

from graphrec.core.types import JSON
from graphrec.report.facts import STAGES, Facts


def origin(facts: Facts) -> JSON:
    """Return what ingest says of the data, and its notes."""
    summary = facts.summary("ingest")
    profile = summary.get("profile", {})
    notes = [*profile.get("notes", []), *profile.get("warnings", [])]
    return {"name": summary.get("name", ""), "about": summary.get("about", ""), "notes": notes}


def reproduce(facts: Facts) -> JSON:
    """Return the resolved config as YAML, the seed, library versions, and each stage's fingerprint."""
    manifests = [(stage, facts.manifests[stage]) for stage in STAGES if stage in facts.manifests]
    libraries = {name: version for _, manifest in manifests for name, version in manifest.get("libraries", {}).items()}
    config = facts.entries.get("config")
    return {
        "config": yaml.safe_dump(config, sort_keys=False, allow_unicode=True) if config else "",
        "seed": facts.entries.get("seed"),
        "threads": sorted({str(m["threads"]) for _, m in manifests if "threads" in m}),
        "code": sorted({str(m["code_version"]) for _, m in manifests if "code_version" in m}),
        "libraries": sorted(libraries.items()),
        "fingerprints": [(stage, manifest.get("fingerprint", "")) for stage, manifest in manifests],
    }
