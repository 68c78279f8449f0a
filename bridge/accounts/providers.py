"""Large mail providers: where their mail is, how one logs in there, and what a person has to do before.

Facts only. A provider is known by its mail domains, or, for domains that it hosts, by where mail for them is
delivered (MX).
"""

from typing import Literal

from attrs import field, frozen

from bridge.config import Upstream

Way = Literal["password", "app password", "oauth2"]
"""How one proves oneself. An app password is made on the provider's web pages, for one program."""

Preset = Literal["google", "microsoft", "yahoo", "aol", "fastmail", "yandex", "mailru"]
"""As in `provider =` of an [[oauth2]] entry."""


def _words(names: str) -> tuple[str, ...]:
    return tuple(names.split())


@frozen(kw_only=True)
class Provider:
    """`servers`: the best first; none where no server is reachable from outside. `ways`: the best first.

    `delete`: what DELE should mean there, where the default does not suit. `mx`: endings of the MX hosts.
    """

    name: str
    domains: tuple[str, ...] = field(default="", converter=_words)
    mx: tuple[str, ...] = field(default="", converter=_words)
    servers: tuple[Upstream, ...] = ()
    login: Literal["{user}", "{local}"] = "{user}"
    ways: tuple[Way, ...] = ("password",)
    oauth2: Preset | None = None
    delete: Literal["trash"] | None = None
    note: str = ""


def _at(imap: str, pop3: str = "") -> tuple[Upstream, ...]:
    found = [Upstream("imap", "tls", imap, 993)]
    if pop3:
        found.append(Upstream("pop3", "tls", pop3, 995))
    return tuple(found)


_GMAIL = "Gmail archives what is flagged as deleted, so DELE moves to the trash."
_ENABLE = "Switch on IMAP and POP3 in the settings of the web mail first."

PROVIDERS = (
    Provider(
        name="Gmail",
        domains="gmail.com googlemail.com",
        servers=_at("imap.gmail.com"),  # its POP3 lists a message that was read to no later session
        ways=("app password", "oauth2"),
        oauth2="google",
        delete="trash",
        note=f"{_GMAIL} App passwords need 2-step verification: https://myaccount.google.com/apppasswords",
    ),
    Provider(
        name="Google Workspace",
        mx="google.com googlemail.com",
        servers=_at("imap.gmail.com"),
        ways=("oauth2",),
        oauth2="google",
        delete="trash",
        note=f"{_GMAIL} Your administrator may have to allow IMAP.",
    ),
    Provider(
        name="Outlook.com",
        domains=(
            "outlook.com hotmail.com live.com msn.com windowslive.com passport.com livemail.tw outlook.at outlook.be "
            "outlook.cl outlook.cz outlook.de outlook.dk outlook.es outlook.fr outlook.hu outlook.ie outlook.in "
            "outlook.it outlook.jp outlook.kr outlook.lv outlook.my outlook.ph outlook.pt outlook.sa outlook.sg "
            "outlook.sk outlook.co.id outlook.co.il outlook.co.th outlook.com.ar outlook.com.au outlook.com.br "
            "outlook.com.gr outlook.com.tr outlook.com.vn hotmail.be hotmail.ca hotmail.cl hotmail.cz hotmail.de "
            "hotmail.dk hotmail.es hotmail.fi hotmail.fr hotmail.gr hotmail.hu hotmail.it hotmail.lt hotmail.lv "
            "hotmail.my hotmail.nl hotmail.no hotmail.ph hotmail.rs hotmail.se hotmail.sg hotmail.sk hotmail.co.id "
            "hotmail.co.il hotmail.co.in hotmail.co.jp hotmail.co.kr hotmail.co.th hotmail.co.uk hotmail.co.za "
            "hotmail.com.ar hotmail.com.au hotmail.com.br hotmail.com.hk hotmail.com.tr hotmail.com.tw hotmail.com.vn "
            "live.at live.be live.ca live.cl live.cn live.de live.dk live.fi live.fr live.hk live.ie live.in live.it "
            "live.jp live.nl live.no live.ru live.se live.co.jp live.co.kr live.co.uk live.co.za live.com.ar "
            "live.com.au live.com.mx live.com.my live.com.ph live.com.pt live.com.sg"
        ),
        mx="olc.protection.outlook.com",
        servers=_at("outlook.office365.com", "outlook.office365.com"),
        ways=("oauth2",),
        oauth2="microsoft",
        note="Let devices and apps use IMAP or POP in the settings of Outlook.com first.",
    ),
    Provider(
        name="Microsoft 365",
        mx="mail.protection.outlook.com mx.microsoft",
        servers=_at("outlook.office365.com", "outlook.office365.com"),
        ways=("oauth2",),
        oauth2="microsoft",
        note="Your administrator may have to allow IMAP or POP for the mailbox.",
    ),
    Provider(
        name="AOL",
        domains="aol.com aim.com love.com ygm.com games.com wow.com aol.de aol.fr aol.co.uk aol.it netscape.net",
        servers=_at("imap.aol.com", "pop.aol.com"),
        ways=("app password",),
        oauth2="aol",
        note="Make an app password in the account's security settings.",
    ),
    Provider(
        name="Yahoo",
        domains=(
            "yahoo.com ymail.com rocketmail.com myyahoo.com yahoo.ca yahoo.de yahoo.es yahoo.fr yahoo.ie yahoo.in "
            "yahoo.it yahoo.no yahoo.pl yahoo.ro yahoo.se yahoo.co.id yahoo.co.in yahoo.co.nz yahoo.co.th yahoo.co.uk "
            "yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.co yahoo.com.hk yahoo.com.mx yahoo.com.my "
            "yahoo.com.ph yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn"
        ),
        servers=_at("imap.mail.yahoo.com", "pop.mail.yahoo.com"),
        ways=("app password",),
        oauth2="yahoo",
        note="Make an app password in the account's security settings.",
    ),
    Provider(
        name="iCloud",
        domains="icloud.com me.com mac.com",
        servers=_at("imap.mail.me.com"),  # there is no POP3
        login="{local}",
        ways=("app password",),
        note="Make an app-specific password: https://account.apple.com",
    ),
    Provider(
        name="iCloud with a domain of your own",
        mx="mail.icloud.com",
        servers=_at("imap.mail.me.com"),
        ways=("app password",),
        note="Make an app-specific password: https://account.apple.com. "
        "Log in with your icloud.com name if this is refused.",
    ),
    Provider(
        name="Fastmail",
        domains="fastmail.com fastmail.fm fastmail.net fastmail.org fastmail.de fastmail.co.uk sent.com",
        mx="messagingengine.com",
        servers=_at("imap.fastmail.com", "pop.fastmail.com"),
        ways=("app password", "oauth2"),
        oauth2="fastmail",
        note="The account's own password is refused: make an app password under Privacy & Security.",
    ),
    Provider(
        name="GMX",
        domains="gmx.net gmx.de gmx.at gmx.ch gmx.eu gmx.biz gmx.org gmx.info mein.gmx mail.gmx email.gmx",
        mx="gmx.net",
        servers=_at("imap.gmx.net", "pop.gmx.net"),
        note=f"{_ENABLE} With two-factor authentication it takes an app password.",
    ),
    Provider(
        name="GMX.com",
        domains="gmx.com gmx.us gmx.co.uk gmx.fr gmx.es gmx.it gmx.pt gmx.ie gmx.ca",
        servers=_at("imap.gmx.com", "pop.gmx.com"),
        note=_ENABLE,
    ),
    Provider(
        name="WEB.DE",
        domains="web.de",
        servers=_at("imap.web.de", "pop3.web.de"),
        login="{local}",
        note=f"{_ENABLE} By POP3 it lets a program in every 15 minutes only.",
    ),
    Provider(
        name="T-Online",
        domains="t-online.de magenta.de",
        mx="t-online.de",
        servers=_at("secureimap.t-online.de", "securepop.t-online.de"),
        ways=("app password",),
        note="It takes the e-mail password made in the settings of the web mail, not the one of the customer account.",
    ),
    Provider(
        name="Yandex",
        domains="yandex.ru yandex.com yandex.net yandex.by yandex.kz yandex.ua ya.ru narod.ru",
        mx="mx.yandex.net mx.yandex.ru",
        servers=_at("imap.yandex.com", "pop.yandex.com"),
        ways=("app password", "oauth2"),
        oauth2="yandex",
        note="Allow mail programs in the settings of the web mail, and make an app password.",
    ),
    Provider(
        name="Mail.ru",
        domains="mail.ru inbox.ru list.ru bk.ru internet.ru",
        mx="mail.ru",
        servers=_at("imap.mail.ru", "pop.mail.ru"),
        ways=("app password", "oauth2"),
        oauth2="mailru",
        note="Make a password for external programs in the account's security settings.",
    ),
    Provider(
        name="163",
        domains="163.com",
        servers=_at("imap.163.com", "pop.163.com"),
        ways=("app password",),
        note=f"{_ENABLE} It gives an authorisation code; that is the password here.",
    ),
    Provider(
        name="126",
        domains="126.com",
        servers=_at("imap.126.com", "pop.126.com"),
        ways=("app password",),
        note=f"{_ENABLE} It gives an authorisation code; that is the password here.",
    ),
    Provider(
        name="yeah.net",
        domains="yeah.net",
        servers=_at("imap.yeah.net", "pop.yeah.net"),
        ways=("app password",),
        note=f"{_ENABLE} It gives an authorisation code; that is the password here.",
    ),
    Provider(
        name="QQ",
        domains="qq.com vip.qq.com foxmail.com",
        servers=_at("imap.qq.com", "pop.qq.com"),
        ways=("app password",),
        note=f"{_ENABLE} It gives an authorisation code of 16 letters; that is the password here.",
    ),
    Provider(
        name="Tencent Exmail",
        mx="mxbiz1.qq.com mxbiz2.qq.com",
        servers=_at("imap.exmail.qq.com", "pop.exmail.qq.com"),
        ways=("app password",),
        note="With secure login it takes a password made for one program, in the settings of the web mail.",
    ),
    *(
        Provider(
            name=f"Zoho ({region})",
            domains=domains,
            mx=f"mx.{at} mx2.{at} mx3.{at}",
            servers=_at(f"imap.{at}", f"pop.{at}"),
            note=f"{_ENABLE} Not every plan has them. With two-factor authentication it takes an app password. "
            "An organisation's paid mail may be at imappro instead of imap.",
        )
        for region, at, domains in (
            ("US", "zoho.com", "zoho.com zohomail.com"),
            ("Europe", "zoho.eu", "zoho.eu zohomail.eu"),
            ("India", "zoho.in", "zoho.in zohomail.in"),
            ("Australia", "zoho.com.au", "zoho.com.au zohomail.com.au"),
            ("Japan", "zoho.jp", "zohomail.jp"),
        )
    ),
    Provider(
        name="Proton Mail",
        domains="proton.me protonmail.com protonmail.ch pm.me",
        mx="protonmail.ch",
        note="Proton has no server for mail programs; its Proton Mail Bridge, on your own machine, is one. Start that "
        'and write upstream = "imap+starttls://127.0.0.1:1143", with login and password that it shows, and pin = its '
        "certificate.",
    ),
    Provider(
        name="mailbox.org",
        domains="mailbox.org",
        mx="mailbox.org",
        servers=_at("imap.mailbox.org", "pop3.mailbox.org"),
        note="With two-factor authentication it takes an application password.",
    ),
    Provider(
        name="Posteo",
        domains=(
            "posteo.de posteo.at posteo.be posteo.ca posteo.ch posteo.co posteo.co.uk posteo.com posteo.cz posteo.dk "
            "posteo.es posteo.eu posteo.fi posteo.gr posteo.hu posteo.ie posteo.in posteo.is posteo.it posteo.jp "
            "posteo.lt posteo.lu posteo.me posteo.mx posteo.net posteo.nl posteo.no posteo.nz posteo.org posteo.pl "
            "posteo.pt posteo.ro posteo.se posteo.si posteo.uk posteo.us"
        ),
        servers=_at("posteo.de", "posteo.de"),
        note="With additional mail account protection it takes no password of mail programs.",
    ),
    *(
        Provider(
            name=f"IONOS ({tld})",
            mx=f"ionos.{tld}" + (" kundenserver.de schlund.de" if tld == "de" else ""),
            servers=_at(f"imap.ionos.{tld}", f"pop.ionos.{tld}"),
        )
        for tld in ("de", "com", "co.uk", "fr", "es", "it", "mx")
    ),
    Provider(name="Strato", mx="rzone.de strato.de", servers=_at("imap.strato.de", "pop3.strato.de")),
    Provider(
        name="OVHcloud",
        mx="mail.ovh.net ovh.net",
        servers=_at("ssl0.ovh.net", "ssl0.ovh.net"),
        note="This is OVH's MX Plan; Email Pro and Exchange have servers of their own, named in OVH's control panel.",
    ),
    Provider(
        name="Infomaniak",
        domains="ik.me ikmail.com etik.com",
        mx="infomaniak.ch infomaniak.com",
        servers=_at("mail.infomaniak.com", "mail.infomaniak.com"),
        note="It takes the password of the mail address, or one made for a device, not that of the Infomaniak account.",
    ),
    Provider(
        name="Seznam",
        domains="seznam.cz email.cz post.cz spoluzaci.cz",
        mx="seznam.cz",
        servers=_at("imap.seznam.cz", "pop3.seznam.cz"),
        note="Allow mail programs in the web mail's settings. With two-factor authentication it takes an app password.",
    ),
    Provider(
        name="Orange",
        domains="orange.fr wanadoo.fr",
        servers=_at("imap.orange.fr", "pop.orange.fr"),
        note="Allow mail programs in the settings of the web mail if the password is refused.",
    ),
    Provider(
        name="Free",
        domains="free.fr",
        servers=_at("imap.free.fr", "pop.free.fr"),
        login="{local}",
    ),
    Provider(
        name="Libero",
        domains="libero.it iol.it blu.it inwind.it giallo.it",
        servers=_at("imapmail.libero.it", "popmail.libero.it"),
        note="It may take a password made for mail programs only, from the account's settings.",
    ),
    Provider(
        name="Comcast Xfinity",
        domains="comcast.net",
        servers=_at("imap.comcast.net", "mail.comcast.net"),
        note="Switch on third-party access in the security settings of the Xfinity web mail first.",
    ),
)

_BY_DOMAIN = {domain: provider for provider in PROVIDERS for domain in provider.domains}
_BY_MX = {ending: provider for provider in PROVIDERS for ending in provider.mx}
_BY_SERVER = {server.host: provider for provider in reversed(PROVIDERS) for server in provider.servers}


def by_domain(domain: str) -> Provider | None:
    return _BY_DOMAIN.get(domain)


def by_mx(host: str) -> Provider | None:
    """The provider that receives mail there: of the endings that fit, the longest decides."""
    labels = host.split(".")
    for first in range(len(labels)):
        if found := _BY_MX.get(".".join(labels[first:])):
            return found
    return None


def by_server(host: str) -> Provider | None:
    """Whose server this is; with several offers on one server the first."""
    return _BY_SERVER.get(host)
