"""What survives a restart: one seam, a store in memory and one in SQLite."""
