"""Readers of the events."""
