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
