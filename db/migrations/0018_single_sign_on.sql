-- Signing in through a provider of the organisation: who is who there, who is on the way, and by which rules.

CREATE TABLE provider_identity (
    id {id},
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL DEFAULT '',
    subject TEXT NOT NULL DEFAULT '',
    linked_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX provider_identity_subject ON provider_identity (issuer, subject);
CREATE UNIQUE INDEX provider_identity_agent ON provider_identity (agent, issuer);

CREATE TABLE provider_visit (
    id {id},
    state_hash TEXT NOT NULL DEFAULT '' UNIQUE,
    browser_hash TEXT NOT NULL DEFAULT '',
    address_hash TEXT NOT NULL DEFAULT '',
    nonce TEXT NOT NULL DEFAULT '',
    verifier TEXT NOT NULL DEFAULT '',
    page TEXT NOT NULL DEFAULT '',
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX provider_visit_address ON provider_visit (address_hash);

CREATE TABLE sign_in_rules (
    id {id},
    passwords BOOLEAN NOT NULL DEFAULT TRUE,
    local_agent {ref} REFERENCES agent (id) ON DELETE SET NULL,
    version INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE group_role (
    id {id},
    name TEXT NOT NULL DEFAULT '' UNIQUE,
    role {ref} NOT NULL REFERENCES role (id) ON DELETE RESTRICT,
    position INTEGER NOT NULL DEFAULT 0
);

ALTER TABLE session ADD COLUMN issuer TEXT NOT NULL DEFAULT '';
