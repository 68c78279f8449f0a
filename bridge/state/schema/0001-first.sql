-- What Popbridge remembers of the mailboxes behind it. Times are seconds since 1970; blobs are made by state/columns.py.
-- To look: sqlite3 -readonly popbridge.sqlite 'SELECT * FROM journal'. To change something, stop the bridge first.

CREATE TABLE account (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE
);

-- One mailbox upstream, as last listed. Whatever else is known of its messages belongs to this incarnation.
CREATE TABLE source (
    id              INTEGER PRIMARY KEY,
    account         INTEGER NOT NULL REFERENCES account,
    name            TEXT NOT NULL,
    version         INTEGER NOT NULL,
    place           TEXT NOT NULL,
    incarnation     INTEGER NOT NULL,
    uidvalidity     INTEGER NOT NULL,
    uidnext         INTEGER NOT NULL,
    highestmodseq   INTEGER NOT NULL,
    mailbox_id      TEXT NOT NULL,
    highest         INTEGER NOT NULL,
    template        TEXT NOT NULL,
    learned_to      INTEGER NOT NULL,
    question        TEXT NOT NULL,
    accepted        INTEGER NOT NULL,
    messages        INTEGER NOT NULL,
    listing         BLOB NOT NULL,
    UNIQUE (account, name)
);

-- UIDLs computed for the UIDs up to the highest, in this incarnation and before: none is ever given to another message.
CREATE TABLE issued (
    source          INTEGER NOT NULL REFERENCES source,
    incarnation     INTEGER NOT NULL,
    template        TEXT NOT NULL,
    uidvalidity     INTEGER NOT NULL,
    highest         INTEGER NOT NULL,
    PRIMARY KEY (source, incarnation, template)
) WITHOUT ROWID;

-- UIDLs that are not the computed ones. With gone = 1 the message has another now, or is no more: it stays taken.
CREATE TABLE uidl (
    account         INTEGER NOT NULL REFERENCES account,
    uidl            TEXT NOT NULL,
    source          INTEGER NOT NULL REFERENCES source,
    incarnation     INTEGER NOT NULL,
    uid             INTEGER NOT NULL,
    gone            INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, uidl)
) WITHOUT ROWID;

CREATE INDEX uidl_of_message ON uidl (source, incarnation, gone, uid);

-- Octets as sent by RETR, where they are not what upstream says.
CREATE TABLE true_size (
    source          INTEGER NOT NULL REFERENCES source,
    uid             INTEGER NOT NULL,
    octets          INTEGER NOT NULL,
    PRIMARY KEY (source, uid)
) WITHOUT ROWID;

-- What a message is recognised by in a mailbox that was replaced.
CREATE TABLE fingerprint (
    source          INTEGER NOT NULL REFERENCES source,
    uid             INTEGER NOT NULL,
    message_id      BLOB NOT NULL,
    header          BLOB NOT NULL,
    stable_id       TEXT NOT NULL,
    PRIMARY KEY (source, uid)
) WITHOUT ROWID;

-- In which order a POP3 login has been shown its messages; what lies below the floor is older than its newest ones.
CREATE TABLE viewing (
    source          INTEGER NOT NULL REFERENCES source,
    viewer          TEXT NOT NULL,
    messages        INTEGER NOT NULL,
    ranks           BLOB NOT NULL,
    floor           INTEGER NOT NULL,
    PRIMARY KEY (source, viewer)
);

-- What a POP3 login has deleted for itself alone.
CREATE TABLE kept (
    source          INTEGER NOT NULL REFERENCES source,
    viewer          TEXT NOT NULL,
    uid             INTEGER NOT NULL,
    PRIMARY KEY (source, viewer, uid)
) WITHOUT ROWID;

-- What QUIT has promised and upstream has not yet confirmed.
CREATE TABLE journal (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    source          INTEGER NOT NULL REFERENCES source,
    viewer          TEXT NOT NULL,
    incarnation     INTEGER NOT NULL,
    uid             INTEGER NOT NULL,
    size            INTEGER NOT NULL,
    date            INTEGER NOT NULL,
    policy          TEXT NOT NULL,
    stage           TEXT NOT NULL,
    due             REAL NOT NULL,
    modseq          INTEGER NOT NULL,
    written         REAL NOT NULL,
    UNIQUE (source, uid)
);
