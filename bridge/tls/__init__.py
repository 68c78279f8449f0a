"""TLS in both directions: certificates that may be renewed while the bridge runs, and upstreams that are verified."""

from bridge.tls.client import CertificateRejected, client_context
from bridge.tls.selfsigned import SelfSignedFiles, self_signed
from bridge.tls.server import CertificateUnusable, ServerContext

__all__ = [
    "CertificateRejected",
    "CertificateUnusable",
    "SelfSignedFiles",
    "ServerContext",
    "client_context",
    "self_signed",
]
