-- What a task may say is decided by the program alone; the table only holds it.
-- Ids in ordinal order, whatever the order of texts in this database is: lists go by it, and so do their pages.
-- due_date is in microseconds since 1970: all years from 1 to 9999 exactly, where drivers take the first and the last
-- moment of a timestamptz for infinity. to_timestamp(due_date / 1e6) shows it.
CREATE TABLE tasks (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,
    completed   boolean NOT NULL,
    priority    text NOT NULL,
    due_date    bigint,
    title       text NOT NULL,
    description text
);

-- A filtered list is in id order, too.
CREATE INDEX tasks_completed ON tasks (completed, id);
CREATE INDEX tasks_priority ON tasks (priority, id);
CREATE INDEX tasks_due_date ON tasks (due_date) WHERE due_date IS NOT NULL;

-- created is in microseconds since 1970, by the clock of the service.
CREATE TABLE idempotency_keys (
    key       text COLLATE "C" NOT NULL PRIMARY KEY,
    body_hash text NOT NULL,
    task_id   text COLLATE "C" NOT NULL,
    version   text NOT NULL,
    created   bigint NOT NULL
);

CREATE INDEX idempotency_keys_created ON idempotency_keys (created);
