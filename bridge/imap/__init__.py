"""IMAP on the wire, the client's half of a conversation."""
