"""Tables: readers, schema checks, splits, and the clean `Dataset` that every later stage starts from."""
