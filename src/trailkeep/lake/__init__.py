"""The lake: Iceberg tables, the commit protocol, the ledger and compaction."""
