-- Changes of very many blocks that are in force as a whole: their wishes say "wanted" and mean "in force". To write each a second time
-- would take as long as it took to put them.
CREATE TABLE settled (
	driver   TEXT    NOT NULL,
	revision INTEGER NOT NULL,
	PRIMARY KEY (driver, revision)
) WITHOUT ROWID;
