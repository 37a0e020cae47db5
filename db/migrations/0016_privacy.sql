-- What is kept goes again: how long a queue keeps what, what has to stay, and receipts of what has gone.

CREATE TABLE retention (
    id {id},
    queue {ref} NOT NULL UNIQUE REFERENCES queue (id) ON DELETE CASCADE,
    text_days INTEGER NOT NULL DEFAULT 0,
    file_days INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE legal_hold (
    id {id},
    chat {ref} NOT NULL UNIQUE REFERENCES chat (id) ON DELETE RESTRICT,
    reason TEXT NOT NULL DEFAULT '',
    agent {ref} REFERENCES agent (id) ON DELETE SET NULL,
    held_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE erasure (
    id {id},
    code TEXT NOT NULL DEFAULT '' UNIQUE,
    agent {ref} REFERENCES agent (id) ON DELETE RESTRICT,
    conversations INTEGER NOT NULL DEFAULT 0,
    files INTEGER NOT NULL DEFAULT 0,
    stayed INTEGER NOT NULL DEFAULT 0,
    erased_at TIMESTAMPTZ NOT NULL,
    wiped_at TIMESTAMPTZ
);

CREATE INDEX chat_ended_at ON chat (queue, ended_at) WHERE state = 'ended';
CREATE INDEX chat_visitor_email ON chat (visitor_email) WHERE visitor_email <> '';
