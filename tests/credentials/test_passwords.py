"""A hash lets in one password, and says nothing about it."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from bridge.config.notation import check_hash
from bridge.credentials.passwords import fits, hashed
from bridge.secret import Secret


class PasswordTest(TestCase):
    def test_only_the_password_fits_its_hash(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._only())

    async def _only(self) -> None:
        made = check_hash(hashed(Secret(b"right")))
        assert await fits(made, Secret(b"right"))
        assert not await fits(made, Secret(b"wrong"))
        assert not await fits("no hash", Secret(b"right"))
        assert made != hashed(Secret(b"right"))
        assert "right" not in made
