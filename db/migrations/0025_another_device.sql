-- A verified visitor finds the running chat again on another device; and tokens can be had explained.

CREATE TABLE device (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL DEFAULT '' UNIQUE,
    added_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX device_chat ON device (chat);

CREATE TABLE token_check (
    id {id},
    address_hash TEXT NOT NULL DEFAULT '',
    checked_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX token_check_address ON token_check (address_hash, checked_at);
