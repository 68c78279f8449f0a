"""The bank where the mail lives: IMAP over Twisted."""
