-- How many chats were started from one address lately.

CREATE TABLE start (
    id {id},
    chat {ref} NOT NULL UNIQUE REFERENCES chat (id) ON DELETE CASCADE,
    address_hash TEXT NOT NULL DEFAULT '',
    started_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX start_address_hash ON start (address_hash, started_at);
CREATE INDEX start_started_at ON start (started_at);
