-- What waits to be deleted, in parcels: all messages of one QUIT that have come equally far are one row. A thousand rows
-- took a QUIT more time than all that it does upstream.
-- To look: sqlite3 -readonly popbridge.sqlite 'SELECT viewer, policy, stage, lowest, highest, messages FROM journal'.

ALTER TABLE journal RENAME TO journal_of_rows;

-- Each entry has a number that no other gets; `id` is that of the parcel's first, `last` its highest. `lowest` and
-- `highest` are UIDs. `stage` and `due` as before, `written` when it was promised, in seconds since 1970.
CREATE TABLE journal (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    last            INTEGER NOT NULL,
    source          INTEGER NOT NULL REFERENCES source,
    viewer          TEXT NOT NULL,
    incarnation     INTEGER NOT NULL,
    lowest          INTEGER NOT NULL,
    highest         INTEGER NOT NULL,
    policy          TEXT NOT NULL,
    stage           TEXT NOT NULL,
    due             REAL NOT NULL,
    written         REAL NOT NULL,
    messages        TEXT NOT NULL  -- JSON: [[number, UID, size, date, MODSEQ], ...]
);
CREATE INDEX journal_of_a_source ON journal (source);
CREATE INDEX journal_up_to ON journal (last);

INSERT INTO sqlite_sequence (name, seq) SELECT 'journal', seq FROM sqlite_sequence WHERE name = 'journal_of_rows';
INSERT INTO journal (id, last, source, viewer, incarnation, lowest, highest, policy, stage, due, written, messages)
    SELECT min(id), max(id), source, viewer, incarnation, min(uid), max(uid), policy, stage, due, written,
           json_group_array(json_array(id, uid, size, date, modseq))
    FROM journal_of_rows
    GROUP BY source, viewer, incarnation, policy, stage, due, written;
DROP TABLE journal_of_rows;
