-- Several mailboxes behind one login: where each of a viewer's ranked messages stands among those of the others, and
-- which message of several copies it was shown first.

-- The first so many of `ranks` have a number each; `highest` is the highest of them.
ALTER TABLE viewing ADD COLUMN numbered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE viewing ADD COLUMN numbers BLOB NOT NULL DEFAULT x'';
ALTER TABLE viewing ADD COLUMN highest INTEGER NOT NULL DEFAULT 0;

-- By what copies are told, where the owner wants only one of them shown: the source whose message it was.
CREATE TABLE first_shown (
    account         INTEGER NOT NULL REFERENCES account,
    viewer          TEXT NOT NULL,
    identity        BLOB NOT NULL,
    source          INTEGER NOT NULL REFERENCES source,
    PRIMARY KEY (account, viewer, identity)
) WITHOUT ROWID;

-- Why the source of an account of the bridge's own could not be opened the last time; `since` in seconds since 1970. A
-- source that was never listed may have one, so it goes by its names.
CREATE TABLE trouble (
    account         TEXT NOT NULL,
    source          TEXT NOT NULL,
    since           REAL NOT NULL,
    text            TEXT NOT NULL,
    PRIMARY KEY (account, source)
) WITHOUT ROWID;
