"""What `graphrec inspect` shows of a numbered data set: sizes, overlap, coverage, leaks, behaviour, cost."""
