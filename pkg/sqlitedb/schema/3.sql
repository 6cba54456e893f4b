-- A message says of which delivery it is, so that the ledger forgets none that has
-- a message left, and how long it waits, so that a clock that is set makes no wait
-- longer; of a message that an earlier version hid, that is at most since it was
-- received or sent. A body that is none of FairBridge's has no delivery here.
ALTER TABLE messages ADD COLUMN delivery TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN wait_ms INTEGER NOT NULL DEFAULT 0; -- of visible_at: from when it was set
UPDATE messages SET wait_ms = max(0, visible_at - coalesce(received_at, sent_at));
UPDATE messages SET delivery = coalesce(
	(SELECT json_extract(attributes, '$.deliveryId.string') FROM contents
		WHERE contents.seq = messages.seq AND json_valid(attributes)),
	(SELECT json_extract(body, '$.deliveryId') FROM contents
		WHERE contents.seq = messages.seq AND json_valid(body) AND json_type(body, '$.deliveryId') = 'text'), '');
CREATE INDEX messages_delivery ON messages (delivery) WHERE delivery <> '';

-- The time of the last sent message, in any queue. A later message never has an
-- earlier one, and one that is sent after a message was received always a later.
CREATE TABLE sent (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	at INTEGER NOT NULL
) STRICT;
INSERT INTO sent SELECT 1, coalesce(max(sent_at) + 1, 0) FROM messages;

-- What waits for a person has attention, since then (milliseconds since 1970);
-- data is what is not for people's eyes: gzip.
ALTER TABLE ledger ADD COLUMN attention TEXT;
ALTER TABLE ledger ADD COLUMN since INTEGER;
ALTER TABLE ledger ADD COLUMN data BLOB;
UPDATE ledger SET state = 'dropped' WHERE state = 'dead' AND json_extract(doc, '$.last.reason') = 'dropped';
UPDATE ledger SET attention = 'person', since = updated_at / 1000 WHERE state = 'dead';
CREATE INDEX ledger_attention ON ledger (since) WHERE attention IS NOT NULL;

-- Entries of the ledger expire by a clock that never goes back, nor on by more than a
-- day from one look to the next: at is its last look, and the wall clock is ahead of
-- it. Both are in seconds; ledger.expires_at is by this clock.
CREATE TABLE expiry (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	at INTEGER NOT NULL, -- 0: not looked at yet
	ahead INTEGER NOT NULL
) STRICT;
INSERT INTO expiry VALUES (1, 0, 0);

-- The last webhooks that were refused, a hundred of strangers and a hundred of
-- others, and how many there have been. at and last_at are milliseconds since
-- 1970; fields is a JSON list of names, '' for none.
CREATE TABLE refusals (
	seq INTEGER PRIMARY KEY,
	at INTEGER NOT NULL,
	status INTEGER NOT NULL,
	reason TEXT NOT NULL,
	strange INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	fields TEXT NOT NULL
) STRICT;
CREATE TABLE refusal_counts (
	status INTEGER NOT NULL,
	reason TEXT NOT NULL,
	count INTEGER NOT NULL,
	last_at INTEGER NOT NULL,
	PRIMARY KEY (status, reason)
) STRICT;

-- One row, written to see whether the file can be written.
CREATE TABLE readiness (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	at INTEGER NOT NULL -- milliseconds since 1970
) STRICT;

-- Copies of what people ask for a delivery by, in indexes that have the last received
-- first: neither a search nor statistics read a document that does not match. What is
-- not a delivery, under an id with #, has no time and is in none of them. received is
-- in milliseconds since 1970, took in milliseconds from the webhook to the ticket with
-- its files, NULL without a ticket. words are what people search for, one a line; they
-- change seldom, and so have an index of their own.
ALTER TABLE ledger ADD COLUMN received INTEGER;
ALTER TABLE ledger ADD COLUMN kind TEXT;
ALTER TABLE ledger ADD COLUMN app TEXT;
ALTER TABLE ledger ADD COLUMN ticket TEXT;
ALTER TABLE ledger ADD COLUMN reason TEXT;
ALTER TABLE ledger ADD COLUMN took INTEGER;
ALTER TABLE ledger ADD COLUMN words TEXT;
UPDATE ledger SET
	received = round(1000 * unixepoch(coalesce(json_extract(doc, '$.about.receivedAt'), json_extract(doc, '$.firstSeen')), 'subsec')),
	kind = json_extract(doc, '$.about.kind'), app = json_extract(doc, '$.about.app'),
	ticket = json_extract(doc, '$.ticketId'), reason = json_extract(doc, '$.last.reason')
	WHERE id NOT LIKE '#%';
UPDATE ledger SET words = coalesce(app, '') || char(10) || coalesce(json_extract(doc, '$.about.session'), '')
		|| char(10) || coalesce(json_extract(doc, '$.about.email'), '') || char(10) || coalesce(json_extract(doc, '$.about.text'), '')
		|| char(10) || coalesce(ticket, '')
	WHERE received IS NOT NULL;
-- To the end of the attempt that completed it or, where that is not remembered, to its last
-- change. A time here is exact to a millisecond, as are those of later entries.
UPDATE ledger SET took = max(0, coalesce(
		(SELECT round(1000 * unixepoch(json_extract(value, '$.at'), 'subsec')) + coalesce(json_extract(value, '$.ms'), 0)
			FROM json_each(doc, '$.tried') WHERE json_extract(value, '$.decision') = 'completed' ORDER BY key DESC LIMIT 1),
		round(1000 * unixepoch(json_extract(doc, '$.updatedAt'), 'subsec'))) - received)
	WHERE received IS NOT NULL AND state = 'completed' AND (ticket IS NOT NULL OR json_type(doc, '$.where') = 'object');
CREATE INDEX ledger_received ON ledger (received DESC, id, state, kind, app, reason, took) WHERE received IS NOT NULL;
CREATE INDEX ledger_words ON ledger (received DESC, words) WHERE received IS NOT NULL;
CREATE INDEX ledger_ticket ON ledger (ticket COLLATE NOCASE) WHERE ticket IS NOT NULL;
