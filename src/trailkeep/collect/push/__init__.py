"""What receivers of pushed records share: senders and their limits, listening, and protocols free of any server."""
