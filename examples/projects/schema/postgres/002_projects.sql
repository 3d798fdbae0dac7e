-- created is microseconds since 1970.
CREATE TABLE projects (
    id       text COLLATE "C" NOT NULL PRIMARY KEY,
    archived boolean NOT NULL,
    created  bigint NOT NULL,
    name     text NOT NULL
);

CREATE INDEX projects_archived ON projects (archived, id);
