"""Which login belongs to which upstream."""
