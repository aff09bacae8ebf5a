"""What an investigator does with stored events."""
