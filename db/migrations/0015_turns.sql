-- When the buttons of a queue turned, and why: green, or the cause of blue.

ALTER TABLE queue ADD COLUMN turned TEXT NOT NULL DEFAULT '';

CREATE TABLE turn (
    id {id},
    queue {ref} NOT NULL REFERENCES queue (id) ON DELETE CASCADE,
    what TEXT NOT NULL DEFAULT '',
    turned_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX turn_queue ON turn (queue, turned_at);

CREATE INDEX chat_ticket_at ON chat (ticket_at);
CREATE INDEX reservation_opened_at ON reservation (opened_at);
CREATE INDEX participation_joined_at ON participation (joined_at);
