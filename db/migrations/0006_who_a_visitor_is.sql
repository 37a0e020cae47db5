-- Who a visitor is, as the host page vouches by a signed token; and the case that a chat belongs to.

CREATE TABLE signing_key (
    id {id},
    widget {ref} NOT NULL REFERENCES widget (id) ON DELETE CASCADE,
    kid TEXT NOT NULL DEFAULT '',
    algorithm TEXT NOT NULL DEFAULT '',
    material TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX signing_key_kid ON signing_key (widget, kid);

CREATE TABLE identity (
    id {id},
    visitor {ref} NOT NULL UNIQUE REFERENCES visitor (id) ON DELETE CASCADE,
    widget {ref} NOT NULL REFERENCES widget (id) ON DELETE RESTRICT,
    sub TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '',
    email TEXT NOT NULL DEFAULT '',
    variables JSON NOT NULL DEFAULT '{}',
    site TEXT NOT NULL DEFAULT '',
    verified_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX identity_sub ON identity (widget, sub);

-- Each token counts for the visitor who showed it first, as long as it is valid.
CREATE TABLE shown_token (
    id {id},
    widget {ref} NOT NULL REFERENCES widget (id) ON DELETE CASCADE,
    jti TEXT NOT NULL DEFAULT '',
    visitor {ref} NOT NULL REFERENCES visitor (id) ON DELETE CASCADE,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX shown_token_jti ON shown_token (widget, jti);
CREATE INDEX shown_token_expires_at ON shown_token (expires_at);

ALTER TABLE chat ADD COLUMN case_number TEXT NOT NULL DEFAULT '';
