"""Opening tables and checking them: formats, text, ids, times, filters; every problem collected, then told at once."""
