"""What an organisation's logs hold on any working day: written from what such logs look like, not from the rules."""
