"""Types, ports and errors that every other part shares; imports nothing of Trailkeep."""
