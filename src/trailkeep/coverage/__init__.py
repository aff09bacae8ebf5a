"""Which techniques of ATT&CK the rules are about, and why logs cannot show the rest."""
