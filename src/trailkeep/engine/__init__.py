"""SQL engines over raw records and the lake; the only package that imports duckdb."""
