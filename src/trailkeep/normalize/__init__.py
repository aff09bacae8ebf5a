"""Raw bytes of an object in, OCSF columns out: reading, recognising, mapping."""
