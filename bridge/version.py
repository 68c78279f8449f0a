"""The one place that knows the version: packaging, `--version` and CAPA's IMPLEMENTATION read it here."""

__version__ = "0.1.0"
