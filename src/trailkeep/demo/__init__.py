"""Invented AWS logs: templates, a world to fill them from, a company's day with an attack inside."""
