"""APOP: the digest fits the password it was made of, for this greeting only."""

from bridge.passwords.apop import Digest, digest_of, make_timestamp
from bridge.secret import Secret

TIMESTAMP = b"<1896.697170952@dbc.mtview.ca.us>"
SECRET = Secret(b"tanstaaf")


def test_the_example_of_rfc_1939() -> None:
    assert digest_of(TIMESTAMP, SECRET) == b"c4c9334bac560ecc979e58001b3e22fb"
    assert Digest(b"mrose", TIMESTAMP, b"c4c9334bac560ecc979e58001b3e22fb").fits(SECRET)


def test_another_password_or_another_greeting_does_not_fit() -> None:
    made = Digest(b"mrose", TIMESTAMP, b"c4c9334bac560ecc979e58001b3e22fb")

    assert not made.fits(Secret(b"tanstaafl"))
    assert not Digest(b"mrose", make_timestamp("abc"), made.digest).fits(SECRET)
    assert "c4c9" not in repr(made)
    assert made.secret == Secret(made.digest)


def test_the_timestamp_is_a_message_id() -> None:
    assert make_timestamp("0a1b") == b"<0a1b@popbridge>"
