-- +goose Up

-- Owned by history ---------------------------------------------------------

-- Who made changes; session is '' for users and for accounts.
CREATE TABLE actor (
    id      INTEGER PRIMARY KEY,
    issuer  TEXT NOT NULL,
    sub     TEXT NOT NULL,
    session TEXT NOT NULL,
    UNIQUE (issuer, sub, session)
) STRICT;

-- Times are Unix nanoseconds, UTC, everywhere.
CREATE TABLE change (
    seq      INTEGER PRIMARY KEY,
    time     INTEGER NOT NULL,
    actor    INTEGER NOT NULL REFERENCES actor (id),
    owner    INTEGER NOT NULL REFERENCES actor (id),
    op       TEXT    NOT NULL,
    agent    TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    session  BLOB,             -- the session row this change wrote, encoded
    versions INTEGER NOT NULL, -- how many it wrote, even if some were purged since
    digest   BLOB    NOT NULL CHECK (length(digest) = 32),
    chain    BLOB    NOT NULL CHECK (length(chain) = 32)
) STRICT;

-- data comes last, so that reading the other columns never walks it.
CREATE TABLE blob (
    id       INTEGER PRIMARY KEY,
    hash     BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    size     INTEGER NOT NULL,
    sha1     BLOB    NOT NULL CHECK (length(sha1) = 20),
    md5      BLOB    NOT NULL CHECK (length(md5) = 16),
    crc32    INTEGER NOT NULL,
    encoding INTEGER NOT NULL DEFAULT 0, -- 0: the bytes themselves
    locator  TEXT,                       -- NULL: data holds them
    data     BLOB,
    CHECK ((locator IS NULL) <> (data IS NULL))
) STRICT;

-- Files whose row is gone, to be unlinked when no reader can need them.
CREATE TABLE bin (
    locator TEXT PRIMARY KEY,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX bin_at ON bin (at);

-- dir and name are the directory and last element of the version's name; the
-- root of a layer has dir '' and name '.'.
CREATE TABLE version (
    layer            INTEGER NOT NULL,
    dir              TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    seq              INTEGER NOT NULL REFERENCES change (seq),
    time             INTEGER NOT NULL,
    spelling         TEXT    NOT NULL,
    node             INTEGER NOT NULL,
    kind             INTEGER NOT NULL,
    flags            INTEGER NOT NULL,
    blob             INTEGER REFERENCES blob (id),
    type             TEXT    NOT NULL,
    mtime            INTEGER NOT NULL,
    born             INTEGER NOT NULL,
    tier             TEXT    NOT NULL,
    origin_node      INTEGER NOT NULL,
    origin_seq       INTEGER NOT NULL,
    base             INTEGER NOT NULL,
    from_node        INTEGER NOT NULL,
    from_seq         INTEGER NOT NULL,
    predecessor_node INTEGER NOT NULL,
    predecessor_seq  INTEGER NOT NULL,
    charge           INTEGER NOT NULL,
    props            BLOB, -- NULL: none
    PRIMARY KEY (layer, dir, name, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_node ON version (node, seq);
CREATE INDEX version_seq ON version (seq);
CREATE INDEX version_blob ON version (blob) WHERE blob IS NOT NULL;

-- The present: what listing and resolving read, one packed column a name.
CREATE TABLE head (
    layer      INTEGER NOT NULL,
    dir        TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    kind       INTEGER NOT NULL,
    real       INTEGER NOT NULL, -- 1: a file, or a directory that is not implied
    seq        INTEGER NOT NULL,
    touched    INTEGER NOT NULL, -- directories: the last change at or below
    touched_at INTEGER NOT NULL,
    packed     BLOB    NOT NULL,
    PRIMARY KEY (layer, dir, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX head_real ON head (layer, dir) WHERE real = 1;

CREATE TABLE session (
    id      TEXT PRIMARY KEY,
    layer   INTEGER NOT NULL UNIQUE,
    issuer  TEXT    NOT NULL,
    sub     TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    born    INTEGER NOT NULL, -- a seq
    created INTEGER NOT NULL,
    sealed  INTEGER NOT NULL, -- 0 while active
    freeze  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_owner ON session (issuer, sub, layer);

-- Bytes counted to an account in each layer, and in layer 0 all together.
CREATE TABLE usage (
    issuer TEXT    NOT NULL,
    sub    TEXT    NOT NULL,
    layer  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (issuer, sub, layer)
) STRICT, WITHOUT ROWID;

-- Heads whose term started anew without a version.
CREATE TABLE renewal (
    layer INTEGER NOT NULL,
    dir   TEXT    NOT NULL,
    name  TEXT    NOT NULL,
    seq   INTEGER NOT NULL REFERENCES change (seq),
    PRIMARY KEY (layer, dir, name, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX renewal_seq ON renewal (seq);

-- Sums kept up to date by every change: 'stored' is the bytes of all blobs.
CREATE TABLE stat (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO stat (name, value) VALUES ('stored', 0);

-- Owned by layers ----------------------------------------------------------

CREATE TABLE lock (
    token          TEXT PRIMARY KEY,
    layer          INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    depth_infinity INTEGER NOT NULL,
    shared         INTEGER NOT NULL,
    owner_xml      TEXT    NOT NULL,
    issuer         TEXT    NOT NULL,
    sub            TEXT    NOT NULL,
    session        TEXT    NOT NULL,
    created        INTEGER NOT NULL,
    expires        INTEGER NOT NULL,
    timeout        INTEGER NOT NULL -- seconds
) STRICT, WITHOUT ROWID;
CREATE INDEX lock_name ON lock (layer, name);

-- Owned by authz -----------------------------------------------------------

CREATE TABLE mount_token (
    id         TEXT PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    issuer     TEXT    NOT NULL,
    sub        TEXT    NOT NULL,
    session    TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    last_used  INTEGER NOT NULL,
    user_agent TEXT    NOT NULL,
    revoked    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mount_token_owner ON mount_token (issuer, sub, id);

-- A jti counts as revoked for this account only, or, with sub '', for everybody.
CREATE TABLE revoked (
    jti     TEXT    NOT NULL,
    issuer  TEXT    NOT NULL,
    sub     TEXT    NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (jti, issuer, sub)
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_expires ON revoked (expires);
