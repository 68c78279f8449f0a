"""Who proves what to whom: mail programs to the bridge, and the bridge to the servers where the mail lives."""
