"""Alerts: signals grouped into what a person should look at."""
