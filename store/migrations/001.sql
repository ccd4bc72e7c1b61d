-- Times are milliseconds since 1970; 0 is none. "first" is a byte 4 or 6 and the first address of a target, so that
-- the order of bytes is that of addresses; "bits" is the target's length.

CREATE TABLE change (
	number INTEGER PRIMARY KEY AUTOINCREMENT,
	at     INTEGER NOT NULL,
	origin TEXT    NOT NULL,
	verb   TEXT    NOT NULL,
	undoes INTEGER NOT NULL,
	undone INTEGER NOT NULL,
	swaps  BLOB    NOT NULL -- JSON: what stood and what stands
);
CREATE INDEX change_at ON change (at);

CREATE TABLE wish (
	first    BLOB    NOT NULL,
	bits     INTEGER NOT NULL,
	scope    TEXT    NOT NULL,
	driver   TEXT    NOT NULL,
	since    INTEGER NOT NULL,
	until    INTEGER NOT NULL,
	origin   TEXT    NOT NULL,
	why      TEXT    NOT NULL,
	forced   INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	state    INTEGER NOT NULL, -- 0 wanted, 1 in force, 2 lifted
	evidence TEXT    NOT NULL,
	confirm  INTEGER NOT NULL,
	later    INTEGER NOT NULL, -- the end after confirmation
	restores INTEGER NOT NULL, -- the revision that an undo brought back
	PRIMARY KEY (first, bits, scope, driver)
) WITHOUT ROWID;
CREATE INDEX wish_revision ON wish (driver, revision);

CREATE TABLE past (
	first    BLOB    NOT NULL,
	bits     INTEGER NOT NULL,
	scope    TEXT    NOT NULL,
	driver   TEXT    NOT NULL,
	since    INTEGER NOT NULL,
	until    INTEGER NOT NULL,
	origin   TEXT    NOT NULL,
	why      TEXT    NOT NULL,
	forced   INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	ended    INTEGER NOT NULL
);
CREATE INDEX past_target ON past (first, bits);
CREATE INDEX past_ended ON past (ended);

CREATE TABLE allow (
	first    BLOB    NOT NULL,
	bits     INTEGER NOT NULL,
	since    INTEGER NOT NULL,
	origin   TEXT    NOT NULL,
	why      TEXT    NOT NULL,
	revision INTEGER NOT NULL,
	restores INTEGER NOT NULL,
	PRIMARY KEY (first, bits)
) WITHOUT ROWID;

CREATE TABLE pardon (
	first    BLOB    NOT NULL,
	bits     INTEGER NOT NULL,
	since    INTEGER NOT NULL,
	until    INTEGER NOT NULL,
	origin   TEXT    NOT NULL,
	revision INTEGER NOT NULL,
	PRIMARY KEY (first, bits)
) WITHOUT ROWID;
