"""The bank where mail programs connect: POP3 over Twisted."""
