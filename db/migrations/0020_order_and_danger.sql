-- Who is kept out for a time because of how they behaved, and where somebody is in danger.

ALTER TABLE desk ADD COLUMN block_days INTEGER NOT NULL DEFAULT 7;
ALTER TABLE desk ADD COLUMN emergency_numbers TEXT NOT NULL DEFAULT '';

CREATE TABLE block (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE CASCADE,
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE RESTRICT,
    reason TEXT NOT NULL DEFAULT '',
    blocked_at TIMESTAMPTZ NOT NULL,
    until_at TIMESTAMPTZ NOT NULL,
    lifted_at TIMESTAMPTZ,
    lifted_by {ref} REFERENCES agent (id) ON DELETE RESTRICT
);

CREATE TABLE emergency (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE CASCADE,
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE RESTRICT,
    shown BOOLEAN NOT NULL DEFAULT FALSE,
    hold {ref} REFERENCES legal_hold (id) ON DELETE SET NULL,
    raised_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    ended_by {ref} REFERENCES agent (id) ON DELETE RESTRICT
);
CREATE INDEX block_chat ON block (chat);
CREATE UNIQUE INDEX emergency_open ON emergency (chat) WHERE ended_at IS NULL;
