"""Files that say where addresses are in, countries and autonomous systems of addresses out; nothing is downloaded."""
