-- After the end of a chat, and before it: what the visitor thought of it, its copy by mail, and the question
-- whether the visitor is still there.

CREATE TABLE rating (
    id {id},
    chat {ref} NOT NULL UNIQUE REFERENCES chat (id) ON DELETE RESTRICT,
    value INTEGER NOT NULL DEFAULT 0,
    remark TEXT NOT NULL DEFAULT '',
    rated_at TIMESTAMPTZ NOT NULL
);

-- Letters that wait to be sent, and those that were. The address is wiped when it has served.
CREATE TABLE mail (
    id {id},
    kind TEXT NOT NULL DEFAULT '',
    chat {ref} REFERENCES chat (id) ON DELETE RESTRICT,
    address TEXT NOT NULL DEFAULT '',
    address_hash TEXT NOT NULL DEFAULT '',
    asked_by_hash TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT 'nl',
    asked_at TIMESTAMPTZ NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ,
    sent_at TIMESTAMPTZ,
    problem TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX mail_once ON mail (kind, chat);
CREATE INDEX mail_next_attempt_at ON mail (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX mail_asked_at ON mail (asked_at);

ALTER TABLE queue ADD COLUMN idle_minutes INTEGER NOT NULL DEFAULT 10;
ALTER TABLE chat ADD COLUMN silent_since_at TIMESTAMPTZ;
ALTER TABLE chat ADD COLUMN idle_asked_at TIMESTAMPTZ;
CREATE INDEX chat_silent_since_at ON chat (silent_since_at) WHERE silent_since_at IS NOT NULL;
