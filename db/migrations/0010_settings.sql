-- The desk is run from its settings pages: who changed what, and that two admins do not undo each other's work.

CREATE TABLE audit (
    id {id},
    at TIMESTAMPTZ NOT NULL,
    agent {ref} REFERENCES agent (id) ON DELETE RESTRICT,
    what TEXT NOT NULL DEFAULT '',
    about TEXT NOT NULL DEFAULT '',
    fields JSON NOT NULL DEFAULT '{}',
    previous TEXT NOT NULL DEFAULT '',
    hash TEXT NOT NULL DEFAULT '' UNIQUE
);
CREATE INDEX audit_about ON audit (about, id);
CREATE INDEX audit_at ON audit (at);

ALTER TABLE desk ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE role ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE agent ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE queue ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE profile ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE widget ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE preset ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE saved_offer ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

UPDATE role SET permissions = '["manage_desk", "manage_people", "manage_widgets", "manage_presets", "read_log", "manage_privacy", "see_reports", "read_audit"]'
    WHERE name = 'admin';
