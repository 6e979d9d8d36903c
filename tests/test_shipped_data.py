"""Every shipped configuration parses, and reads of its public set exactly what the set's description counts."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from graphrec.cli.config import RunConfig, load_config
from graphrec.data.raw import RawTables
from graphrec.stages.ingest import input_files, read

CONFIGS = Path(__file__).parent.parent / "configs"
SHIPPED = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}
NO_PUBLIC_SET = {"amazon5_time", "arrival", "demo", "distributed", "own_tables", "planted", "quick", "sweep"}
"""Variants of a set that is checked under another name, and data that a user or the package brings."""


class Counts:
    """What a set holds, counted on the tables as read, before anything is dropped or numbered."""

    def __init__(self, raw: RawTables) -> None:
        self.raw, self.events, self.triples = raw, raw.interactions.collect(), raw.triples
        self.entities = pl.concat([self.triples["head"], self.triples["tail"]]).unique()
        self.read = {Path(table.path).name: (table.num_rows, table.num_kept) for table in raw.tables}

    def sizes(self, **where: str) -> tuple[int, int, int]:
        """Events, users and items, of all or of the given domain or split."""
        part = self.events.filter(**where)
        return part.height, part["user"].n_unique(), part["item"].n_unique()

    def graph(self) -> tuple[int, int, int]:
        """Triples, entities and relations."""
        return self.triples.height, len(self.entities), self.triples["relation"].n_unique()

    def shared(self, column: str, *domains: str) -> int:
        """Users or items that all the domains have in train."""
        train = self.events.filter(pl.col("split").fill_null("train") == "train")
        held = [set(train.filter(domain=name)[column]) for name in domains]
        return len(set.intersection(*held))


def amazon5(found: Counts) -> None:
    assert found.read["kg_beauty.parquet"][0] == 1_115_330
    assert found.graph()[2] == 2 and set(found.triples["relation"]) == {"produced_by", "belongs_to"}
    sizes = {"beauty": (198_502, 22_363, 12_101), "sports": (296_337, 35_598, 18_357), "food": (83_663, 7_144, 11_837)}
    sizes |= {"kitchen": (89_885, 7_144, 16_258), "electronics": (63_800, 4_474, 14_188)}
    assert {name: found.sizes(domain=name) for name in sizes} == sizes
    assert found.sizes()[:2] == (732_187, 60_261)
    spread = found.events.group_by("user").agg(num=pl.col("domain").n_unique())["num"].value_counts()
    assert dict(spread.iter_rows()) == {1: 50_636, 2: 5_735, 3: 1_837, 4: 1_159, 5: 894}
    # The description counts products; two sports products also stand in electronics.
    assert found.sizes()[2] == 72_739 and found.shared("item", "sports", "electronics") == 2
    assert found.shared("user", "beauty", "sports") == 1_625 and found.shared("user", "food", "kitchen") == 7_144


def cdr(
    other: str, *, users: int, sport: tuple[int, int, int], second: tuple[int, int, int]
) -> Callable[[Counts], None]:
    def check(found: Counts) -> None:
        for domain, (items, train, test) in (("sport", sport), (other, second)):
            assert found.sizes(domain=domain, split="train") == (train, users, items)
            assert found.sizes(domain=domain, split="test")[0] == test
        assert found.sizes()[1] == users

    return check


def ciaodvd17(found: Counts) -> None:
    assert found.sizes() == (72_665, 17_615, 16_121) and found.raw.timed
    assert found.events["domain"].n_unique() == 17
    users = found.events.group_by("user").agg(domains=pl.col("domain").n_unique(), events=pl.len())
    assert ((users["domains"] >= 2).sum(), (users["domains"] >= 5).sum(), (users["events"] >= 5).sum()) == (
        6_640,
        1_353,
        2_624,
    )
    dates = pl.from_epoch(found.events["order"], "us").dt.date().cast(pl.String)
    assert (dates.min(), dates.max()) == ("2000-05-31", "2013-11-28")


def codex_s(found: Counts) -> None:
    assert found.graph() == (32_888 + 2 * 1_827 + 2 * 1_828, 2_034, 42)
    assert dict(found.triples["label"].value_counts().iter_rows()) == {
        True: 32_888 + 1_827 + 1_828,
        False: 1_827 + 1_828,
    }
    assert found.read["train.txt.gz"] == (32_888, 32_888)


def complete_journey(found: Counts) -> None:
    assert found.read == {"transactions.parquet": (1_469_307, 1_464_471), "products.parquet": (92_331, 92_331)}
    # The description counts 68,509 products; 17 of them, with 4,836 events, have no line in products.parquet,
    # so nobody knows their department.
    assert found.sizes() == (1_469_307 - 4_836, 2_469, 68_509 - 17)
    users = {"GROCERY": (928_997, 2_458), "DRUG GM": (156_171, 2_404), "PRODUCE": (147_651, 2_350)}
    assert {name: found.sizes(domain=name)[:2] for name in users} == users
    events = {"MEAT-PCKGD": 63_041, "MEAT": 49_822, "DELI": 35_478, "PASTRY": 21_719, "NUTRITION": 18_595}
    events |= {"FUEL": 12_997, "SEAFOOD-PCKGD": 6_428, "SALAD BAR": 5_559, "COSMETICS": 4_470, "FLORAL": 2_590}
    events |= {"SEAFOOD": 2_339, "SPIRITS": 1_194}
    assert {name: found.sizes(domain=name)[0] for name in events} == events


def ctr_samples(found: Counts) -> None:
    # The description counts rows; only rows with a click are events.
    assert found.read == {
        "mind_sample.csv.gz": (8_000, 363),
        "douban_sample.csv.gz": (3_000, 3_000),
        "kuairand_sample.csv.gz": (200, 32),
        "ali_ccp_*_sample.csv.gz": (100 + 50 + 50, 16),
    }
    assert set(found.events["domain"]) == {"news", "book", "movie", "music", "videos", "shop"}


def factbench_llm(found: Counts) -> None:
    # 10 x (150 + 26) facts are left out: wrong by their date only, which a triple does not have.
    assert found.read["facts.parquet"] == (12_060, 12_060 - 1_760) and found.graph()[2] == 10
    assert dict(found.triples["label"].value_counts().iter_rows()) == {True: 1_500, False: 10_560 - 1_760}
    said = found.triples.group_by("head", "relation", "tail").agg(pl.col("label").n_unique())
    assert said["label"].max() == 1
    # 2,800 facts by four models, each asked in two ways; none is among those left out.
    votes = found.raw.votes["vote"]
    assert (votes == 0.0).sum() == 12_121 and (votes == 1.0).sum() == 10_279
    assert found.raw.votes["voter"].n_unique() == 8


def gowalla(found: Counts) -> None:
    assert found.sizes() == (1_027_370, 29_858, 40_981)
    assert (found.sizes(split="train")[0], found.sizes(split="test")[0]) == (810_128, 217_242)
    assert not found.raw.timed


def ifashion_kg_slice(found: Counts) -> None:
    assert found.sizes() == (400_583, 114_737, 28_101)
    assert found.graph() == (279_155, 89_196, 51)
    assert found.raw.links.height == 28_101


def intentionqa(found: Counts) -> None:
    assert found.triples.height == 2_315 and found.triples["tail"].n_unique() == 1_633
    assert found.triples["label"].all() and found.triples["confidence"].is_between(0.6, 1).all()
    # A head is a pair of products. The sampled wrong assertions stand in lists inside the rows and are not read.
    products = found.triples["head"].str.split("|").explode()
    assert products.n_unique() == 2_507


def lastfm_kg(found: Counts) -> None:
    assert found.read["ratings_final.txt.gz"] == (42_346, 21_173)
    assert found.sizes() == (21_173, 1_872, 3_846)
    assert found.graph() == (15_518, 9_366, 60)
    assert found.raw.link_by_id and set(map(int, found.events["item"])) == set(range(3_846))


def nell_sports_kgeval(found: Counts) -> None:
    assert found.graph() == (23_422, 13_209, 53)
    assert set(found.raw.entities["entity"]) == set(found.entities) and found.raw.entities["type"].n_unique() == 192


def xmrec5(found: Counts) -> None:
    sizes = {"s1": (77_173, 6_466, 9_762), "s2": (48_302, 7_109, 2_198), "s3": (23_367, 3_328, 1_245)}
    sizes |= {"t1": (19_615, 2_697, 1_357), "t2": (41_226, 5_482, 2_917)}
    assert {name: found.sizes(domain=name, split="train") for name in sizes} == sizes
    assert all(found.sizes(domain=name, split="test")[:2] == (users, users) for name, (_, users, _) in sizes.items())
    assert found.sizes(split="train")[2] == 12_015 and found.sizes()[1] == sum(users for _, users, _ in sizes.values())
    pairs = {("s1", "s2"): 1_198, ("s1", "t2"): 1_834, ("s3", "t1"): 712, ("s2", "t1"): 863, ("t1", "t2"): 530}
    assert {pair: found.shared("item", *pair) for pair in pairs} == pairs


CHECKS: dict[str, Callable[[Counts], None]] = {
    "amazon5": amazon5,
    "cdr_sport_cloth": cdr("cloth", users=9_928, sport=(30_796, 92_612, 8_326), second=(39_008, 87_829, 7_540)),
    "cdr_sport_phone": cdr("phone", users=4_998, sport=(20_845, 50_558, 3_698), second=(13_655, 42_446, 3_999)),
    "ciaodvd17": ciaodvd17,
    "codex_s": codex_s,
    "complete_journey": complete_journey,
    "ctr_samples": ctr_samples,
    "factbench_llm": factbench_llm,
    "gowalla": gowalla,
    "ifashion_kg_slice": ifashion_kg_slice,
    "intentionqa": intentionqa,
    "lastfm_kg": lastfm_kg,
    "nell_sports_kgeval": nell_sports_kgeval,
    "xmrec5": xmrec5,
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_configuration_parses_and_says_how_to_run_it(name: str) -> None:
    config = load_config(SHIPPED[name], [])
    assert config.name == name or name == "own_tables"
    first, second = SHIPPED[name].read_text(encoding="utf-8").splitlines()[:2]
    assert first.startswith("# ") and second.startswith("# Run it with: graphrec ")


def test_every_configuration_of_a_public_set_is_counted() -> None:
    assert set(SHIPPED) - NO_PUBLIC_SET == set(CHECKS)


def test_every_public_set_has_a_configuration(data_dir: Path) -> None:
    named = {folder.name for folder in data_dir.iterdir() if folder.is_dir()}
    assert named - {"cdr_pairs"} <= set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_public_set_reads_as_described(name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHREC_DATA", str(data_dir))
    config: RunConfig = load_config(SHIPPED[name], [])
    assert all(path.is_file() for path in input_files(config.ingest))
    found = Counts(read(config.ingest))
    CHECKS[name](found)
    assert not config.target or config.target in set(found.events["domain"])
