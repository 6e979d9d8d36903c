"""The part of the YAML for files that have a reader of their own."""

from collections.abc import Iterator

from graphrec.data.sniff.plan import Plan
from graphrec.data.sniff.scalars import folder_of, path_in, quoted


def recbole(plan: Plan) -> Iterator[str]:
    """Yield the options of the reader of atomic files."""
    folders = dict.fromkeys(str(path.resolve().parent) for path in plan.files)
    yield "  # Suffix .inter and typed headers: RecBole's atomic files, one folder a domain."
    yield "  reader: recbole"
    yield "  recbole:"
    yield f"    folders: [{', '.join(map(quoted, folders))}]"


def kgat(plan: Plan) -> Iterator[str]:
    """Yield the options of the reader of KGAT and KGIN text."""
    names = [path.name for path in plan.files]
    folder = folder_of(plan.files)
    train = next((n for n in names if "train" in n), names[0])
    test = next((n for n in names if "test" in n and n != train), None)
    triples = next((n for n in names if "kg" in n.lower()), None)
    relations = next((n for n in names if "relation" in n.lower()), None)
    yield "  # Lines of numbers, a user and then its items: the text files of KGAT and KGIN."
    yield "  reader: kgat"
    yield "  kgat:"
    yield f"    folder: {quoted(str(folder))}"
    yield f"    domain: {quoted(plan.target.value)}"
    yield f"    train: {quoted(train)}"
    yield f"    test: {quoted(test) if test else 'null'}"
    yield f"    triples: {quoted(triples) if triples else 'null'}"
    yield f"    relations: {quoted(relations) if relations else 'null'}"
    if test:
        yield "  # test.txt is the test. The other choice: leave_last_out."
        yield "  split: {kind: given}"


def amazon(plan: Plan) -> Iterator[str]:
    """Yield the options of the reader of Amazon Reviews."""
    folder = folder_of(plan.files)
    yield "  # Keys of the lines: Amazon Reviews, one file of reviews and one of products for each category."
    yield "  reader: amazon"
    yield "  amazon:"
    yield f"    folder: {quoted(str(folder))}"
    yield "    domains:"
    for domain in plan.domains:
        own = [path for path in plan.files if domain in path.name]
        reviews = [path for path in own if not path.name.startswith("meta")]
        meta = [path for path in own if path.name.startswith("meta")]
        told = f", metadata: {path_in(meta[0], folder)}" if meta else ""
        yield f"      - {{name: {quoted(domain)}, reviews: {path_in(reviews[0], folder)}{told}}}"


def graph(plan: Plan) -> Iterator[str]:
    """Yield the options of the reader of saved graphs."""
    yield "  # A saved graph: .pt of torch-geometric, .bin of dgl."
    yield "  reader: graph"
    yield "  graph:"
    yield f"    path: {quoted(str(plan.files[0].resolve()))}"
    yield "    # The node type of the users; item types are those that users have edges to."
    yield "    user: user"
