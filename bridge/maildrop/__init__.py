"""The model both banks share: a session's snapshot of messages, their numbers, UIDLs and marks. No protocol words."""
