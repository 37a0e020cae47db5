-- The tools of a conversation: presets, offers, private messages.

CREATE TABLE preset (
    id {id},
    title TEXT NOT NULL DEFAULT '',
    shortcut TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT 'nl',
    queue {ref} REFERENCES queue (id) ON DELETE CASCADE,
    profile {ref} REFERENCES profile (id) ON DELETE CASCADE,
    position INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE saved_offer (
    id {id},
    title TEXT NOT NULL DEFAULT '',
    options JSON NOT NULL DEFAULT '[]',
    several BOOLEAN NOT NULL DEFAULT FALSE,
    language TEXT NOT NULL DEFAULT 'nl',
    queue {ref} REFERENCES queue (id) ON DELETE CASCADE,
    position INTEGER NOT NULL DEFAULT 0
);

-- The public message that shows an offer has the offer's id in its data.
CREATE TABLE offer (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE RESTRICT,
    key TEXT NOT NULL DEFAULT '',
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE RESTRICT,
    title TEXT NOT NULL DEFAULT '',
    options JSON NOT NULL DEFAULT '[]',
    several BOOLEAN NOT NULL DEFAULT FALSE,
    chosen JSON NOT NULL DEFAULT '[]',
    offered_at TIMESTAMPTZ NOT NULL,
    chosen_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX offer_once ON offer (chat, key);

-- Nothing that a visitor's page reads touches these two: not the rows, not the counter.
CREATE TABLE private_thread (
    id {id},
    chat {ref} NOT NULL UNIQUE REFERENCES chat (id) ON DELETE RESTRICT,
    seq INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE private_message (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE RESTRICT,
    seq INTEGER NOT NULL DEFAULT 0,
    key TEXT NOT NULL DEFAULT '',
    after_seq INTEGER NOT NULL DEFAULT 0,
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE RESTRICT,
    name TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL DEFAULT '',
    sent_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX private_message_seq ON private_message (chat, seq);
CREATE UNIQUE INDEX private_message_key ON private_message (chat, key);
