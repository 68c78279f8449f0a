"""Acknowledge at once what upstream has sent: Cyrus and Courier write with Nagle's algorithm on.

The last small piece of their answers waits for our acknowledgement, which Linux delays by 40 ms: a RETR through Courier
takes 44 ms, or with this well under one. Linux forgets the option with each read (tcp(7)), so it is set again.
"""

import socket
from typing import Any

OPTION = getattr(socket, "TCP_QUICKACK", None)  # Linux only


def acknowledge(transport: Any) -> None:
    """`transport`: TCP, or TLS upon it, which passes its TCP transport's attributes on. Anything else is let be."""
    wire = getattr(transport, "socket", None)
    if OPTION is not None and isinstance(wire, socket.socket):
        try:
            wire.setsockopt(socket.IPPROTO_TCP, OPTION, 1)
        except OSError:  # closed meanwhile
            return
