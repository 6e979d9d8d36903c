"""Names that columns go by, for each role a column can have. Case, camel case and separators do not matter."""

import re
from collections.abc import Mapping

_ID = {
    "user": "user uid reviewer customer cust household member account buyer client shopper person visitor subscriber "
    "profile consumer patron guest listener viewer player reader passenger patient student employee payer author "
    "session device card uuid userid usr org_user hh",
    "item": "item iid asin parent_asin product prod article movie film video song track artist album book isbn news "
    "business venue poi place location offer ad adgroup coupon stock_code stockcode goods sku game app recipe anime "
    "restaurant merchant shop store content course hotel listing deal service doc document creative post photo show "
    "upc ean gtin style itm object_id",
    "entity": "entity ent kg entity_kg freebase wikidata qid concept node mid",
}
"""Roles that are ids: the word alone, or with one of the endings below."""

_ENDINGS = ("", "id", "idx", "index", "key", "no", "nr", "num", "number", "code", "hash")

_EXACT = {
    "domain": "domain domain_id domain_name market marketplace site scene scenario scenario_id tab department dept "
    "channel vertical business_line category_domain genre_id genre country locale platform brand_domain main_category",
    "shop": "shop shop_id shop_name store store_id store_name outlet branch branch_id scene_id scene_name "
    "scenario_name scenarios market_id market_name channel_id channel_name",
    "time": "time timestamp ts datetime date_time event_time unix_review_time unixreviewtime unix_time review_time "
    "created_at created creation_time time_stamp transaction_timestamp transaction_time transaction_date trans_date "
    "order_time order_date purchase_date invoice_date visit_date rating_time rated_at watch_time_utc click_time date "
    "day t time_ms timestamp_ms event_timestamp checkin_time utc_time t_dat",
    "position": "pos position order seq sequence step rank_in_history event_number",
    "rating": "rating stars star score overall rate movie_rating user_rating review_rating grade stars_given points",
    "weight": "weight count quantity qty plays play_count playcount listen_count num_plays times amount sales_value "
    "units frequency freq",
    "label": "label click clicked is_click is_clicked clk conversion purchased is_purchase is_like liked feedback "
    "implicit target y",
    "event": "event event_type event_name action action_type behavior behaviour behavior_type behaviour_type "
    "interaction_type activity btag type",
    "split": "split set fold subset part partition split_set",
    "head": "head h head_id head_entity subject subj s source src from entity_1 entity1 item_a source_id",
    "relation": "relation rel r relation_id predicate property p edge_type edge link_type relation_type rel_type",
    "tail": "tail t tail_id tail_entity object obj o target dst to entity_2 entity2 item_b value target_id",
    "confidence": "confidence conf prob probability weight score likelihood p_true",
    "text": "title name text description desc product_name item_name item_title product_title headline abstract "
    "summary movie_title brand category categories genres sub_category subcategory tags keywords product_type "
    "product_category package_size department manufacturer details features body review_text store color colour",
}
"""Roles known by whole names."""

_NEVER_TIME = re.compile(
    r"(^|_)(join|register|registration|birth|signup|stay|play|duration|spent|length|bin|zone)(_|$)"
)


def normal(name: str) -> str:
    """Return a column name in lower case with its words parted by `_`; the type of a RecBole header is dropped."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.partition(":")[0].strip())
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def names_role(name: str, role: str) -> bool:
    """Return whether a column called `name` may have `role` by its name."""
    found = normal(name)
    if role == "time" and not may_be_time(name):
        return False
    return found in _KNOWN[role] or found.replace("_", "") in _KNOWN[role]


def may_be_time(name: str) -> bool:
    """Return whether nothing in the name speaks against the time of an event: it is no duration and no birthday."""
    return _NEVER_TIME.search(normal(name)) is None


def _with_endings(words: str) -> frozenset[str]:
    stems = words.split()
    joined = [f"{stem}{mark}{end}" for stem in stems for end in _ENDINGS for mark in (("", "_") if end else ("",))]
    return frozenset(joined)


_KNOWN: Mapping[str, frozenset[str]] = {
    **{role: _with_endings(words) for role, words in _ID.items()},
    **{role: frozenset(words.split()) for role, words in _EXACT.items()},
}
