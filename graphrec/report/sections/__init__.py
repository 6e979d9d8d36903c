"""One module per section of the report: each turns the facts of a run into what its template prints.

A section that lacks its input says so in `missing`, one sentence, instead of leaving a blank.
"""
