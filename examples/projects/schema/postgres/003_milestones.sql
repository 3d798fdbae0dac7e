-- due_date is microseconds since 1970.
CREATE TABLE milestones (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    project_id text COLLATE "C" NOT NULL REFERENCES projects (id),
    done       boolean NOT NULL,
    due_date   bigint,
    title      text NOT NULL
);

-- Lists are those of one project; its deletion looks for its milestones.
CREATE INDEX milestones_project_id ON milestones (project_id, id);
