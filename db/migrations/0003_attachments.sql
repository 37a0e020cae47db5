-- Files that people add to messages. The bytes lie in the data directory, named after their hash, once.

ALTER TABLE widget ADD COLUMN documents BOOLEAN NOT NULL DEFAULT TRUE;

-- Of the public thread. Without a seq it has been added, but no message with it was sent yet.
CREATE TABLE attachment (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE RESTRICT,
    key TEXT NOT NULL DEFAULT '',
    agent {ref} REFERENCES agent (id) ON DELETE RESTRICT,
    seq INTEGER,
    name TEXT NOT NULL DEFAULT '',
    sha256 TEXT NOT NULL DEFAULT '',
    media TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0,
    width INTEGER NOT NULL DEFAULT 0,
    height INTEGER NOT NULL DEFAULT 0,
    thumbnail TEXT NOT NULL DEFAULT '',
    refused TEXT NOT NULL DEFAULT '',
    uploaded_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX attachment_key ON attachment (chat, key);
CREATE INDEX attachment_sha256 ON attachment (sha256);
CREATE INDEX attachment_uploaded_at ON attachment (uploaded_at);

-- Of the private thread: rows, keys and numbers of their own, which no visitor's page reads.
CREATE TABLE private_attachment (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE RESTRICT,
    key TEXT NOT NULL DEFAULT '',
    agent {ref} REFERENCES agent (id) ON DELETE RESTRICT,
    seq INTEGER,
    name TEXT NOT NULL DEFAULT '',
    sha256 TEXT NOT NULL DEFAULT '',
    media TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0,
    width INTEGER NOT NULL DEFAULT 0,
    height INTEGER NOT NULL DEFAULT 0,
    thumbnail TEXT NOT NULL DEFAULT '',
    refused TEXT NOT NULL DEFAULT '',
    uploaded_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX private_attachment_key ON private_attachment (chat, key);
CREATE INDEX private_attachment_sha256 ON private_attachment (sha256);
CREATE INDEX private_attachment_uploaded_at ON private_attachment (uploaded_at);
