-- In version 1 each part of FairBridge made its tables when it first needed them,
-- so a file of that version can have some of them, or all.

-- A message's state and its content are two tables, because every receive
-- rewrites the state's row, and a body can be 1 MiB. Times are milliseconds since
-- 1970. The first index is in the order in which messages are received, so a
-- receive costs the same however many are queued; the second finds those past
-- their retention.
CREATE TABLE IF NOT EXISTS queues (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	visibility_ms INTEGER NOT NULL,
	retention_ms INTEGER NOT NULL,
	max_receives INTEGER NOT NULL,               -- with dead_letter_queue
	dead_letter_queue INTEGER REFERENCES queues, -- NULL: no redrive
	created_at INTEGER NOT NULL,
	modified_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS messages (
	seq INTEGER PRIMARY KEY,
	queue INTEGER NOT NULL,
	id TEXT NOT NULL,
	sent_at INTEGER NOT NULL,
	visible_at INTEGER NOT NULL,
	receives INTEGER NOT NULL DEFAULT 0,
	first_received_at INTEGER,
	received_at INTEGER,
	receipt BLOB,                                -- of the last receive; NULL if there is no valid one
	held INTEGER NOT NULL DEFAULT 0,             -- 1: the receiver has not handed it back (see HandBack)
	source INTEGER                               -- the queue from which redrive moved it here
) STRICT;
CREATE INDEX IF NOT EXISTS messages_visible ON messages (queue, visible_at, receives);
CREATE INDEX IF NOT EXISTS messages_sent ON messages (queue, sent_at);
CREATE TABLE IF NOT EXISTS contents (
	seq INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
	body TEXT NOT NULL,
	attributes TEXT NOT NULL                     -- JSON, or '' for none
) STRICT;

-- What SSM has: the secrets.
CREATE TABLE IF NOT EXISTS parameters (
	name TEXT PRIMARY KEY,
	type TEXT NOT NULL,
	value TEXT NOT NULL,
	version INTEGER NOT NULL,
	modified_at INTEGER NOT NULL -- milliseconds since 1970
) STRICT;

-- One row a delivery. doc is JSON as text, so that people can read it with any
-- SQLite tool. expires_at is in seconds since 1970, updated_at in microseconds.
CREATE TABLE IF NOT EXISTS ledger (
	id         TEXT PRIMARY KEY NOT NULL,
	version    INTEGER NOT NULL,
	state      TEXT NOT NULL,
	expires_at INTEGER NOT NULL,
	doc        TEXT NOT NULL,
	updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS ledger_expires_at ON ledger (expires_at);
CREATE INDEX IF NOT EXISTS ledger_updated_at ON ledger (updated_at);
