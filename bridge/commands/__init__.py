"""What an owner asks of the remembered UIDLs: bring them from an old server, look at them, compare, accept a change."""
