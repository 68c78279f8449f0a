"""Every provider's addresses are such as may be asked, and what the owner writes goes before."""

import pytest

from bridge.config import OAuth2Grant
from bridge.config.oauth2 import check_address, check_scope
from bridge.config.presets import PRESETS, authorization_server


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_addresses_and_rights(name: str) -> None:
    server = authorization_server(OAuth2Grant(name="work", provider=name, client_id="x"))  # type: ignore[arg-type]
    for address in (server.authorize, server.token, server.device):
        if address is not None:
            assert check_address(address).startswith("https://")
            assert "{" not in address
    assert [check_scope(scope) for scope in server.scopes] == list(server.scopes)
    assert server.scopes


def test_a_tenant_stands_in_microsoft_s_addresses() -> None:
    server = authorization_server(OAuth2Grant(name="work", provider="microsoft", client_id="x", tenant="x.example"))
    assert server.token == "https://login.microsoftonline.com/x.example/oauth2/v2.0/token"
    assert server.device == "https://login.microsoftonline.com/x.example/oauth2/v2.0/devicecode"
    default = authorization_server(OAuth2Grant(name="work", provider="microsoft", client_id="x"))
    assert default.authorize == "https://login.microsoftonline.com/common/oauth2/v2.0/authorize"


def test_what_the_owner_writes_goes_before() -> None:
    grant = OAuth2Grant(
        name="work",
        provider="google",
        client_id="x",
        token="https://x.example/token",
        scopes=("mine",),
        redirect="http://127.0.0.1:8080/back",
        mechanism="OAUTHBEARER",
    )
    server = authorization_server(grant)
    assert (server.token, server.scopes, server.own_scopes) == ("https://x.example/token", ("mine",), ("mine",))
    assert (server.redirect, server.mechanism) == ("http://127.0.0.1:8080/back", "OAUTHBEARER")
    assert server.authorize == PRESETS["google"].authorize
    assert server.issuer is None  # whoever answers at the owner's address is not the preset's issuer


@pytest.mark.parametrize(
    ("grant", "missing"),
    [
        (OAuth2Grant(name="x"), "token"),
        (OAuth2Grant(name="x", token="https://x"), "authorize"),
        (OAuth2Grant(name="x", token="https://x", grant="device"), "device"),
        (OAuth2Grant(name="x", provider="google", grant="device"), "device"),
    ],
)
def test_an_address_that_nobody_says_is_named(grant: OAuth2Grant, missing: str) -> None:
    with pytest.raises(ValueError, match=f"^{missing}$"):
        authorization_server(grant)
