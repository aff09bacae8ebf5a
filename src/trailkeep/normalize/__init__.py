"""Raw objects in, OCSF events out: reading, mapping, quarantine."""
