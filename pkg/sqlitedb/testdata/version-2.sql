-- What version 2 wrote.
PRAGMA application_id = 0x46427267;
PRAGMA user_version = 2;
CREATE TABLE queues (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	visibility_ms INTEGER NOT NULL,
	retention_ms INTEGER NOT NULL,
	max_receives INTEGER NOT NULL,               -- with dead_letter_queue
	dead_letter_queue INTEGER REFERENCES queues, -- NULL: no redrive
	created_at INTEGER NOT NULL,
	modified_at INTEGER NOT NULL
) STRICT;
CREATE TABLE messages (
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
CREATE INDEX messages_visible ON messages (queue, visible_at, receives);
CREATE INDEX messages_sent ON messages (queue, sent_at);
CREATE TABLE contents (
	seq INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
	body TEXT NOT NULL,
	attributes TEXT NOT NULL                     -- JSON, or '' for none
) STRICT;

-- What SSM has: the secrets.
CREATE TABLE parameters (
	name TEXT PRIMARY KEY,
	type TEXT NOT NULL,
	value TEXT NOT NULL,
	version INTEGER NOT NULL,
	modified_at INTEGER NOT NULL -- milliseconds since 1970
) STRICT;

-- One row a delivery. doc is JSON as text, so that people can read it with any
-- SQLite tool. expires_at is in seconds since 1970, updated_at in microseconds.
CREATE TABLE ledger (
	id         TEXT PRIMARY KEY NOT NULL,
	version    INTEGER NOT NULL,
	state      TEXT NOT NULL,
	expires_at INTEGER NOT NULL,
	doc        TEXT NOT NULL,
	updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_expires_at ON ledger (expires_at);
CREATE INDEX ledger_updated_at ON ledger (updated_at);
INSERT INTO queues VALUES (1, 'work', 930000, 345600000, 8, NULL, 1764305000000, 1764305000000);
INSERT INTO messages VALUES (7, 1, '5fea7756-0ea4-451a-a703-a558b933e274', 1764305000000, 1764305000000, 2, 1764305000001, 1764305000002, x'0102', 1, NULL);
INSERT INTO contents VALUES (7, '{"version":1}', '');
INSERT INTO parameters VALUES ('/fairbridge/webhook-token', 'SecureString', 'made-up', 3, 1764305000000);
INSERT INTO ledger VALUES ('ab', 3, 'dead', 1764305000, '{"deliveryId":"ab","state":"dead","last":{"reason":"rejected"}}', 1764305000000000);
INSERT INTO ledger VALUES ('cd', 3, 'dead', 1764305000, '{"deliveryId":"cd","state":"dead","last":{"reason":"dropped"}}', 1764305000000000);
