-- due_date is microseconds since 1970.
CREATE TABLE milestones (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    done INTEGER NOT NULL,
    due_date INTEGER,
    title TEXT NOT NULL
) STRICT;

-- Lists are those of one project; its deletion looks for its milestones.
CREATE INDEX milestones_project_id ON milestones (project_id, id);
