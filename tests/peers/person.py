"""A person who logs in at the tests' authorization server and allows everything, by its forms and without a browser.

As a program it is a browser for `webbrowser`: BROWSER="python person.py USER %s", or "… no", who allows nothing.
"""

import http.cookiejar
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

_STEPS = 20


class _Stay(urllib.request.HTTPRedirectHandler):
    """Where a redirection leads is looked at first."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Person:
    def __init__(self, user: str, *, allows: bool = True) -> None:
        self._user = user
        self._allows = allows
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies, _Stay)

    def consent(self, address: str) -> str:
        """Where the server sends the browser at the end; nobody has gone there yet."""
        server = urllib.parse.urlsplit(address).netloc
        form: dict[str, str] | None = None
        for _ in range(_STEPS):
            page, location = self._ask(address, form)
            if location is not None:
                address, form = urllib.parse.urljoin(address, location), None
                if urllib.parse.urlsplit(address).netloc != server:
                    return address
            else:
                address, form = self._answer(address, page)
        raise AssertionError(f"no end of it at {address}")

    def type_code(self, address: str, code: str) -> str:
        """At the page for devices; the text it ends with."""
        form: dict[str, str] | None = None
        for _ in range(_STEPS):
            page, location = self._ask(address, form)
            if location is not None:
                address, form = urllib.parse.urljoin(address, location), None
            elif 'name="user_code"' in page and 'name="confirm"' not in page:
                hidden = dict(re.findall(r'name="(xsrf)" value="([^"]*)"', page))
                address, form = _action(page, address), {**hidden, "user_code": code}
            elif 'name="confirm"' in page:
                hidden = dict(re.findall(r'name="(xsrf|user_code)" value="([^"]*)"', page))
                address, form = _action(page, address), {**hidden, "confirm": "yes"}
            elif 'name="prompt"' in page:
                address, form = self._answer(address, page)
            else:
                return page
        raise AssertionError(f"no end of it at {address}")

    def _answer(self, address: str, page: str) -> tuple[str, dict[str, str]]:
        prompt = re.search(r'name="prompt" value="(\w+)"', page)
        assert prompt is not None, page
        if prompt[1] == "consent" and not self._allows:
            abort = re.search(r'href="([^"]*abort)"', page)
            assert abort is not None, page
            return urllib.parse.urljoin(address, abort[1]), {}
        form = {"prompt": prompt[1]}
        if prompt[1] == "login":
            form |= {"login": self._user, "password": "any"}
        return _action(page, address), form

    def _ask(self, address: str, form: dict[str, str] | None) -> tuple[str, str | None]:
        data = urllib.parse.urlencode(form).encode() if form else None
        try:
            with self._opener.open(address, data, timeout=30) as answer:
                return answer.read().decode(), None
        except urllib.error.HTTPError as error:
            if 300 <= error.code < 400:
                return "", error.headers["Location"]
            raise AssertionError(f"{address}: {error.code}\n{error.read().decode()}") from None


def _action(page: str, address: str) -> str:
    action = re.search(r'action="([^"]+)"', page)
    return urllib.parse.urljoin(address, action[1]) if action else address


if __name__ == "__main__":
    end = Person(sys.argv[1], allows=sys.argv[3:] != ["no"]).consent(sys.argv[2])
    with urllib.request.urlopen(end, timeout=60) as shown:
        shown.read()
