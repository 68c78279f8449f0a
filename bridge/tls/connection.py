"""OpenSSL's connection, which gives all that has come at once instead of record by record.

What Twisted takes from it, it hands on at once: a body that comes in small records would go through the whole bridge,
and on in a record and a system call of its own, for each of them.
"""

from OpenSSL import SSL


class Connection(SSL.Connection):
    """Upon memory, as Twisted uses it: what is in there is bounded by what was read from the socket."""

    _failed: SSL.Error | None = None

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Of all records that are there, although more than `bufsiz`, which is for one of them."""
        if self._failed is not None:
            raise self._failed
        records = [super().recv(bufsiz, flags)]
        try:
            while True:
                records.append(super().recv(bufsiz, flags))
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self._failed = error  # for when what came before has been dealt with
        return b"".join(records)
