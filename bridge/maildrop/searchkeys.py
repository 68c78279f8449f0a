"""Which messages a view asks upstream for: IMAP's search keys as an owner or a mail program writes them, checked.

What passes can be sent as it stands: it never ends the command, opens a literal or closes a bracket of others.
Whether the words are search keys that the server knows, only the server can say.
"""

import re

LONGEST = 500

_WORD = re.compile(r"""[A-Za-z0-9!#$&'+,\-./:;<=>?@^_`|~*]+|"(?:[^"\\]|\\["\\])*"|[() ]""")
_FLAG_KEYS = {"UNSEEN", "SEEN", "FLAGGED", "UNFLAGGED", "ANSWERED", "UNANSWERED", "DRAFT", "UNDRAFT"}
_KEYWORD_KEYS = {"KEYWORD", "UNKEYWORD"}
_KEYWORD = re.compile(r"[A-Za-z0-9$_.\-]{1,64}")
_NO_KEYS = {"RETURN", "CHARSET"}
"""Of a SEARCH these say how it is answered and written, not what it finds (RFC 9051, section 6.4.4)."""


def check_search(text: str) -> str:
    """The same, blanks at the ends taken away; ValueError says what is wrong. Any language stands in quotes."""
    keys = text.strip(" ")
    if not keys:
        raise ValueError("a search without a search key")
    if not keys.isprintable():
        raise ValueError("a search holds printable characters only")
    if len(keys.encode()) > LONGEST:
        raise ValueError(f"a search of more than {LONGEST} octets")
    if keys.split(" ", 1)[0].upper() in _NO_KEYS:
        raise ValueError(f"{keys.split(' ', 1)[0]} is no search key")
    depth, at = 0, 0
    while at < len(keys):
        word = _WORD.match(keys, at)
        if word is None:
            raise ValueError(f"a search cannot hold {keys[at]!r} here; text with such characters stands in quotes")
        depth += {"(": 1, ")": -1}.get(word[0], 0)
        if depth < 0:
            break
        at = word.end()
    if depth:
        raise ValueError("the brackets of the search do not pair")
    return keys


def check_flag_search(text: str) -> str:
    """What a mail program may ask for: flags and keywords only, which every server finds fast. In capitals.

    NEW and RECENT are not among them: they change by being looked at.
    """
    keys: list[str] = []
    words = iter(text.split(" "))
    for word in words:
        key = word.upper()
        if key in _KEYWORD_KEYS:
            keyword = next(words, "")
            if not _KEYWORD.fullmatch(keyword):
                raise ValueError(f"{key} is followed by a keyword")
            keys.append(f"{key} {keyword}")
        elif key in _FLAG_KEYS:
            keys.append(key)
        else:
            raise ValueError("a login may search for flags and keywords only")
    if len(text) > LONGEST:
        raise ValueError(f"a search of more than {LONGEST} octets")
    return " ".join(keys)
