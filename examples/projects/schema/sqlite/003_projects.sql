-- created is microseconds since 1970.
CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    archived INTEGER NOT NULL,
    created INTEGER NOT NULL,
    name TEXT NOT NULL
) STRICT;

CREATE INDEX projects_archived ON projects (archived, id);
