"""What is kept of a password, and how a client shows that it knows it: scrypt, SCRAM-SHA-256, APOP. Pure."""
