"""The search language: query text -> syntax tree -> SQL over the lake -> the newest events that match."""
