"""Providers' authorization servers: addresses and rights as their documentation has them. There are no client ids."""

from attrs import evolve, frozen

from bridge.config.values import BearerMechanism, OAuth2Grant

LOOPBACK = "http://127.0.0.1"
"""RFC 8252, section 7.3: the port is whichever is free."""

Pairs = tuple[tuple[str, str], ...]


@frozen(kw_only=True)
class AuthorizationServer:
    """`scopes` are asked for in somebody's name, `own_scopes` where an application asks for itself.

    `asks`: further parameters of the authorization request. `issuer` is compared where an answer names one (RFC 9207).
    """

    token: str
    authorize: str | None = None
    device: str | None = None
    issuer: str | None = None
    scopes: tuple[str, ...] = ()
    own_scopes: tuple[str, ...] = ()
    asks: Pairs = ()
    redirect: str = LOOPBACK
    tenant: str | None = None  # which stands in the addresses where none is configured
    mechanism: BearerMechanism = "XOAUTH2"


_MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0"

PRESETS: dict[str, AuthorizationServer] = {
    "google": AuthorizationServer(
        authorize="https://accounts.google.com/o/oauth2/v2/auth",
        token="https://oauth2.googleapis.com/token",  # noqa: S106  an address
        # The device flow's allow-list has no scope for mail, so `device` is left out.
        issuer="https://accounts.google.com",
        scopes=("https://mail.google.com/",),
        own_scopes=("https://mail.google.com/",),
        # Without both a second consent brings no refresh token.
        asks=(("access_type", "offline"), ("prompt", "consent")),
    ),
    "microsoft": AuthorizationServer(
        authorize=f"{_MICROSOFT}/authorize",
        token=f"{_MICROSOFT}/token",
        device=f"{_MICROSOFT}/devicecode",
        scopes=(
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office.com/POP.AccessAsUser.All",
            "offline_access",
        ),
        own_scopes=("https://outlook.office365.com/.default",),
        # Of a registered http://localhost any port is taken; the portal does not let 127.0.0.1 be registered.
        redirect="http://localhost",
        tenant="common",
    ),
    "yahoo": AuthorizationServer(
        authorize="https://api.login.yahoo.com/oauth2/request_auth",
        token="https://api.login.yahoo.com/oauth2/get_token",  # noqa: S106
        scopes=("mail-w",),
    ),
    "aol": AuthorizationServer(
        authorize="https://api.login.aol.com/oauth2/request_auth",
        token="https://api.login.aol.com/oauth2/get_token",  # noqa: S106
        scopes=("mail-w",),
    ),
    "fastmail": AuthorizationServer(
        authorize="https://api.fastmail.com/oauth/authorize",
        token="https://api.fastmail.com/oauth/refresh",  # noqa: S106
        scopes=("https://www.fastmail.com/dev/protocol-imap", "https://www.fastmail.com/dev/protocol-pop"),
        mechanism="OAUTHBEARER",
    ),
    "yandex": AuthorizationServer(
        authorize="https://oauth.yandex.com/authorize",
        token="https://oauth.yandex.com/token",  # noqa: S106
        device="https://oauth.yandex.com/device/code",
        scopes=("mail:imap_full",),
    ),
    "mailru": AuthorizationServer(
        authorize="https://o2.mail.ru/login",
        token="https://o2.mail.ru/token",  # noqa: S106
        scopes=("mail.imap",),
    ),
}


def authorization_server(grant: OAuth2Grant) -> AuthorizationServer:
    """The preset with what the owner wrote instead. ValueError names what neither of the two says."""
    preset = PRESETS[grant.provider] if grant.provider is not None else AuthorizationServer(token="")
    server = evolve(
        preset,
        authorize=grant.authorize or preset.authorize,
        token=grant.token or preset.token,
        device=grant.device or preset.device,
        redirect=grant.redirect or preset.redirect,
        mechanism=grant.mechanism or preset.mechanism,
    )
    if grant.authorize is not None or grant.token is not None:
        server = evolve(server, issuer=None)  # another server than the preset's
    if grant.scopes:
        server = evolve(server, scopes=grant.scopes, own_scopes=grant.scopes)
    if (tenant := grant.tenant or server.tenant) is not None:
        server = _of_tenant(server, tenant)
    if missing := _missing(grant, server):
        raise ValueError(missing)
    return server


def _of_tenant(server: AuthorizationServer, tenant: str) -> AuthorizationServer:
    return evolve(
        server,
        authorize=server.authorize and server.authorize.replace("{tenant}", tenant),
        token=server.token.replace("{tenant}", tenant),
        device=server.device and server.device.replace("{tenant}", tenant),
    )


def _missing(grant: OAuth2Grant, server: AuthorizationServer) -> str | None:
    if not server.token:
        return "token"
    if grant.grant == "code" and server.authorize is None:
        return "authorize"
    if grant.grant == "device" and server.device is None:
        return "device"
    return None
