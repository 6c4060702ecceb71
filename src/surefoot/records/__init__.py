"""Other tools' records, a door each: what stands there becomes a table of trials."""
