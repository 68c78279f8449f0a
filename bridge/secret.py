"""A value that never prints itself: passwords and tokens (S30)."""

import hmac


class Secret:
    """Octets that `repr`, `str`, logs and tracebacks show as dots; `reveal` gives them for the wire."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def reveal(self) -> bytes:
        """The octets themselves. Every caller is a place that sees a credential: keep them few."""
        return self._octets

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._octets, other._octets)

    __hash__ = None  # type: ignore[assignment]  # a secret as a key would be compared in variable time

    def __reduce__(self) -> str:
        message = "a Secret is not to be stored"
        raise TypeError(message)
