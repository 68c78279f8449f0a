"""What is wrong in an [[oauth2]] entry is answered with its line, its key and what to write instead."""

from pathlib import Path
from typing import Any

import pytest

from bridge.config import Config, ConfigError, OAuth2Grant, Reference, load
from bridge.config.presets import authorization_server
from tests.config.entries import LISTENER, account_text

REST = LISTENER + account_text(secret="oauth2:work")


def loaded(directory: Path, text: str) -> Config:
    file = directory / "popbridge.toml"
    file.write_text(text + REST)
    return load(file)


def entry(**keys: Any) -> str:
    lines = {"name": "work", "provider": "google", "client_id": "x", **keys}
    written = (f"{key} = {value if isinstance(value, list) else repr(value)}" for key, value in lines.items() if value)
    return "[[oauth2]]\n" + "\n".join(written) + "\n"


def test_a_grant_that_a_source_names_is_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, entry(client_secret="file:client.secret", scopes=["a", "b"], command=["/bin/tell", "me"]))

    assert config.oauth2 == (
        OAuth2Grant(
            name="work",
            provider="google",
            client_id="x",
            client_secret=Reference("file", str(tmp_path / "client.secret")),
            scopes=("a", "b"),
            command=("/bin/tell", "me"),
        ),
    )
    assert config.accounts[0].source[0].secret == Reference("oauth2", "work")


def test_addresses_by_hand_do_without_a_preset(tmp_path: Path) -> None:
    text = entry(provider=None, authorize="https://x.example/a", token="http://127.0.0.1:8080/t")
    [grant] = loaded(tmp_path, text).oauth2
    assert authorization_server(grant).token == "http://127.0.0.1:8080/t"


@pytest.mark.parametrize(
    ("keys", "line", "said"),
    [
        ({"provider": "gmail"}, 3, r"oauth2.provider: there is no 'gmail'; write \"google\" or"),
        ({"name": "two words"}, 2, "oauth2.name: a name has 1 to 64 letters"),
        ({"client_id": None}, 1, "client_id: the id of your application at the provider is missing; register one"),
        ({"client_id": "a b"}, 4, "client_id: a client id is one word"),
        ({"client_secret": "hush"}, 5, "client_secret: a secret is not written here, but where it is found"),
        ({"client_secret": "oauth2:work"}, 5, "client_secret: a token is no secret of an application"),
        (
            {"token": "http://x.example/t"},
            5,
            r"oauth2.token: tokens are asked for over HTTPS only; .*https://x.example",
        ),
        ({"token": "x.example"}, 5, "oauth2.token: it is not an address to ask"),
        ({"token": "https://u:p@x.example/"}, 5, "oauth2.token: it is not an address to ask"),
        ({"token": "https://[x/"}, 5, "oauth2.token: it is not an address to ask"),
        ({"redirect": "http://x.example/"}, 5, "oauth2.redirect: tokens are asked for over HTTPS only"),
        ({"scopes": ["a b"]}, 5, "oauth2.scopes: a scope is one word"),
        ({"scopes": "a"}, 5, r'oauth2.scopes: this is a list of texts; write \["…", "…"\]'),
        ({"provider": None}, 1, r"token: the server's address for token is missing; .*provider = one of google"),
        ({"grant": "device"}, 5, r"grant: google gives no right to mail to devices.*popbridge authorise --paste"),
        ({"provider": "microsoft", "tenant": "a/b"}, 5, "oauth2.tenant: a tenant is a domain"),
        ({"grant": "client"}, 5, 'grant = "client" proves itself by a secret or a certificate'),
        (
            {"grant": "client", "provider": "microsoft", "client_secret": "env:X"},
            5,
            'belongs to one tenant; write tenant = "example.org"',
        ),
        ({"private_key": "env:X"}, 5, 'private_key goes with certificate; write certificate = "client.pem"'),
        ({"service_account": "env:X"}, 5, r'service_account: it is for grant = "service"; leave it out'),
        ({"grant": "service", "client_id": None}, 4, 'grant: grant = "service" needs the JSON that Google made'),
        ({"grant": "service", "service_account": "env:X"}, 4, 'client_id is not for grant = "service"'),
        ({"name": "play"}, 14, r'account.source.secret: there is no \[\[oauth2\]\] entry with name = "work"; .* play'),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, keys: dict[str, Any], line: int, said: str) -> None:
    with pytest.raises(ConfigError, match=f"line {line}: .*{said}"):
        loaded(tmp_path, entry(**keys))


def test_a_certificate_and_a_secret_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text("")
    keys = {"certificate": "client.pem", "private_key": "file:key.pem"}
    assert loaded(tmp_path, entry(grant="client", **keys)).oauth2[0].certificate == tmp_path / "client.pem"
    with pytest.raises(ConfigError, match="a certificate stands instead of a client secret"):
        loaded(tmp_path, entry(grant="client", client_secret="env:X", **keys))
    with pytest.raises(ConfigError, match=r'certificate goes with private_key; write private_key = "file:client.key"'):
        loaded(tmp_path, entry(grant="client", certificate="client.pem"))


def test_a_name_stands_for_one_grant(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'another \[\[oauth2\]\] entry has the name "work"'):
        loaded(tmp_path, entry() + entry())
