"""The story of a study as Markdown, HTML, figures, tables and JSON: given runs, never the record."""
