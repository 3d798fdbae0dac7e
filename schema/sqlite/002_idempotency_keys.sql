-- Hashes are 32 hexadecimal digits, created is microseconds since 1970.
CREATE TABLE idempotency_keys (
    key TEXT NOT NULL PRIMARY KEY,
    body_hash TEXT NOT NULL,
    task_id TEXT NOT NULL,
    version TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The expired ones are the oldest.
CREATE INDEX idempotency_keys_created ON idempotency_keys (created);
