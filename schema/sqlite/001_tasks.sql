-- Times are microseconds since 1970. Text is compared by its bytes, so that ids have one order on every engine.
-- What a task may say is decided by the program alone; the table only holds it.
CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY,
    completed INTEGER NOT NULL,
    priority TEXT NOT NULL,
    due_date INTEGER,
    title TEXT NOT NULL,
    description TEXT
) STRICT;

-- A filtered list goes on behind an id, too.
CREATE INDEX tasks_completed ON tasks (completed, id);
CREATE INDEX tasks_priority ON tasks (priority, id);
