"""Reader of RecBole's atomic files: tables with a typed header, told to the `tables` reader column by column.

    NAME/NAME.inter   user_id:token  item_id:token  rating:float  timestamp:float ...
    NAME/NAME.item    item_id:token  title:token_seq ...         optional: what describes an item
    NAME/NAME.kg      head_id:token  relation_id:token  tail_id:token
    NAME/NAME.link    item_id:token  entity_id:token             optional together with .kg

A folder is a domain. Data sets that are split already have NAME.train.inter, NAME.valid.inter and
NAME.test.inter instead of NAME.inter. RecBole splits lines at tabs and knows no quotes.
Attributes of users (.user) and networks (.net) are not read.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from graphrec.core.errors import DataError
from graphrec.data.config import InteractionTable, ItemTable, LinkTable, RecboleConfig, TablesConfig, TripleTable
from graphrec.data.files.checks import Problems, quoted
from graphrec.data.files.scan import home
from graphrec.data.files.textfile import lines
from graphrec.data.raw import RawTables
from graphrec.data.readers import tables

_TYPES = ("token", "float", "token_seq", "float_seq")
_PARTS = {"": None, ".train": "train", ".valid": "valid", ".test": "test"}
_KG = ("head_id", "relation_id", "tail_id")


def files(config: RecboleConfig) -> list[Path]:
    """Return the files that are read, in order; raise `DataError` on a folder without them."""
    return tables.files(_told(config)[0])


def read(config: RecboleConfig) -> RawTables:
    """Read every folder; raise one `DataError` naming file, row and what was expected there."""
    told, warnings = _told(config)
    raw = tables.read(told)
    return replace(raw, warnings=(*raw.warnings, *warnings))


def _told(config: RecboleConfig) -> tuple[TablesConfig, list[str]]:
    """Say what the folders hold in the options of the `tables` reader, and what in them is not used."""
    if not config.folders:
        raise DataError("ingest.recbole.folders: none given; name at least one folder with a .inter file")
    problems = Problems()
    folders = [_Folder(home(name), config, problems) for name in config.folders]
    told = TablesConfig(
        interactions=tuple(table for folder in folders for table in folder.interactions()),
        items=tuple(table for folder in folders for table in folder.items()),
        triples=tuple(table for folder in folders for table in folder.triples()),
        links=tuple(table for folder in folders for table in folder.links()),
        about=config.about,
    )
    problems.raise_any()
    return told, problems.warnings


class _Folder:
    """The files of one data set, as tables."""

    def __init__(self, folder: Path, config: RecboleConfig, problems: Problems) -> None:
        self.folder, self.config, self.problems = folder.resolve(), config, problems
        self.name = self.folder.name
        self.found = {path.name.removesuffix(".gz"): path for path in sorted(folder.glob("*")) if path.is_file()}
        if f"{self.name}.user" in self.found:
            problems.warn(str(self.found[f"{self.name}.user"]), "is not read: no stage uses attributes of users")

    def interactions(self) -> list[InteractionTable]:
        """The events; one table, or one for each part of a data set that is split already."""
        parts = {self.name + part + ".inter": split for part, split in _PARTS.items()}
        given = {name: split for name, split in parts.items() if name in self.found}
        if not given:
            there = f"it has {quoted(list(self.found))}" if self.found else "it is empty, or no folder"
            self.problems.add(
                str(self.folder), f"no {self.name}.inter; {there}", do="the files must bear the folder's name"
            )
        told = []
        for name, split in given.items():
            fields = self._fields(name, (self.config.user, self.config.item))
            if fields:
                kept = [replace(test, column=fields.get(test.column, test.column)) for test in self.config.keep]
                table = InteractionTable(
                    path=str(self.found[name]),
                    format="tsv",
                    quotes=False,
                    as_domain=self.name,
                    user=fields[self.config.user],
                    item=fields[self.config.item],
                    time=fields.get(self.config.time or ""),
                    keep=tuple(kept),
                    as_split=split,
                )
                told.append(table)
        return told

    def items(self) -> list[ItemTable]:
        """The texts of the items, where there are any."""
        fields = self._fields(f"{self.name}.item", (self.config.item, *self.config.text))
        words = [name for name, typed in fields.items() if ":token" in typed and name != self.config.item]
        text = tuple(fields[name] for name in self.config.text or words if name in fields)
        if not text:
            return []
        path = str(self.found[f"{self.name}.item"])
        item = fields[self.config.item]
        return [ItemTable(path=path, format="tsv", quotes=False, as_domain=self.name, item=item, text=text)]

    def triples(self) -> list[TripleTable]:
        """The knowledge graph, where there is one."""
        name = f"{self.name}.kg"
        fields = self._fields(name, _KG)
        if not fields:
            return []
        if f"{self.name}.link" not in self.found:
            self.problems.add(
                str(self.folder), f"has {name}, but no {self.name}.link", do="say there which item is which entity"
            )
        head, relation, tail = (fields[field] for field in _KG)
        path = str(self.found[name])
        return [TripleTable(path=path, format="tsv", quotes=False, head=head, relation=relation, tail=tail)]

    def links(self) -> list[LinkTable]:
        """Which item is which entity, where somebody says it."""
        fields = self._fields(f"{self.name}.link", (self.config.item, "entity_id"))
        if not fields:
            return []
        path, item, entity = str(self.found[f"{self.name}.link"]), fields[self.config.item], fields["entity_id"]
        return [LinkTable(path=path, format="tsv", quotes=False, as_domain=self.name, item=item, entity=entity)]

    def _fields(self, name: str, needed: tuple[str, ...]) -> Mapping[str, str]:
        """Return the fields of a file, name -> name with type; nothing where the file is absent or wrong."""
        path = self.found.get(name)
        if path is None:
            return {}
        before = len(self.problems.errors)
        fields = _header(path, self.problems)
        absent = [field for field in needed if field not in fields]
        if absent and len(self.problems.errors) == before:
            self.problems.add(
                str(path),
                f"no field {quoted(absent)}; it has {quoted(list(fields.values()), 12)}",
                do="rename the fields, or name them in ingest.recbole",
            )
        return fields if len(self.problems.errors) == before else {}


def _header(path: Path, problems: Problems) -> dict[str, str]:
    """Return the fields of the first line, name -> name with type; what is wrong with it is a problem."""
    try:
        first = next(lines(path), b"").decode("utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        problems.add(str(path), "line 1 cannot be read as UTF-8 text", do="fetch the file again, or save it as UTF-8")
        return {}
    typed = first.split("\t")
    if len(typed) == 1 and first.count(":") > 1:
        problems.add(str(path), f"line 1 has no tabs: {first[:60]!r}", do="separate fields by tabs")
        return {}
    fields = {}
    for field in typed:
        name, colon, kind = field.rpartition(":")
        if not colon or kind not in _TYPES:
            what = f"the unknown type {kind!r}" if colon else "no type"
            do = f"write each field of the header as name:type, with the type one of {', '.join(_TYPES)}"
            problems.add(str(path), f"field {field[:40]!r} of line 1 has {what}", do=do)
        else:
            fields[name] = field
    return fields
