-- A colleague, or some agent of a queue, is invited to a running conversation.

CREATE TABLE invite (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE RESTRICT,
    inviter {ref} NOT NULL REFERENCES agent (id) ON DELETE RESTRICT,
    agent {ref} REFERENCES agent (id) ON DELETE RESTRICT,
    queue {ref} REFERENCES queue (id) ON DELETE RESTRICT,
    note TEXT NOT NULL DEFAULT '',
    opened_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    outcome TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    closed_at TIMESTAMPTZ,
    put_away BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE UNIQUE INDEX invite_one_open_per_chat ON invite (chat) WHERE outcome = '';
CREATE INDEX invite_chat ON invite (chat);

ALTER TABLE reservation ADD COLUMN kind TEXT NOT NULL DEFAULT 'chat';
ALTER TABLE reservation ADD COLUMN invite {ref} REFERENCES invite (id) ON DELETE RESTRICT;
CREATE INDEX reservation_invite ON reservation (invite) WHERE invite IS NOT NULL;
