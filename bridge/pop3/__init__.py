"""POP3 on the wire, the server's half of a conversation."""
