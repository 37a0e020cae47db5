-- Rows that say what happened (chats, messages, who took part) refuse to lose what they refer to: RESTRICT.
-- Rows that only belong to something go with it: CASCADE.
-- Timestamps have no default: the desk's own clock gives them (db/clock.py).

CREATE TABLE desk (
    id {id},
    name TEXT NOT NULL DEFAULT '',
    time_zone TEXT NOT NULL DEFAULT 'Europe/Brussels',
    language TEXT NOT NULL DEFAULT 'nl',
    secret TEXT NOT NULL DEFAULT '',
    alive_at TIMESTAMPTZ
);

CREATE TABLE role (
    id {id},
    name TEXT NOT NULL DEFAULT '' UNIQUE,
    permissions JSON NOT NULL DEFAULT '[]'
);

CREATE TABLE agent (
    id {id},
    username TEXT NOT NULL DEFAULT '' UNIQUE,
    name TEXT NOT NULL DEFAULT '',
    password_hash TEXT NOT NULL DEFAULT '',
    role {ref} NOT NULL REFERENCES role (id) ON DELETE RESTRICT,
    language TEXT NOT NULL DEFAULT 'nl',
    active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE session (
    id {id},
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL DEFAULT '' UNIQUE,
    csrf TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX session_agent ON session (agent);
CREATE INDEX session_expires_at ON session (expires_at);

CREATE TABLE sign_in_failure (
    id {id},
    who TEXT NOT NULL DEFAULT '',
    failed_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX sign_in_failure_who ON sign_in_failure (who, failed_at);

CREATE TABLE one_time_link (
    id {id},
    purpose TEXT NOT NULL DEFAULT '',
    token_hash TEXT NOT NULL DEFAULT '' UNIQUE,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE queue (
    id {id},
    name TEXT NOT NULL DEFAULT '',
    always_open BOOLEAN NOT NULL DEFAULT FALSE,
    answer_s INTEGER NOT NULL DEFAULT 30,
    grace_s INTEGER NOT NULL DEFAULT 60,
    overdue_s INTEGER NOT NULL DEFAULT 300,
    away_s INTEGER NOT NULL DEFAULT 600,
    green BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE opening_hours (
    id {id},
    queue {ref} NOT NULL REFERENCES queue (id) ON DELETE CASCADE,
    weekday INTEGER NOT NULL DEFAULT 0,
    opens_minute INTEGER NOT NULL DEFAULT 0,
    closes_minute INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX opening_hours_queue ON opening_hours (queue);

CREATE TABLE profile (
    id {id},
    name TEXT NOT NULL DEFAULT '',
    places INTEGER NOT NULL DEFAULT 3
);

CREATE TABLE profile_queue (
    id {id},
    profile {ref} NOT NULL REFERENCES profile (id) ON DELETE CASCADE,
    queue {ref} NOT NULL REFERENCES queue (id) ON DELETE CASCADE,
    priority INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX profile_queue_once ON profile_queue (profile, queue);

CREATE TABLE agent_profile (
    id {id},
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    profile {ref} NOT NULL REFERENCES profile (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX agent_profile_once ON agent_profile (agent, profile);

CREATE TABLE readiness (
    id {id},
    agent {ref} NOT NULL UNIQUE REFERENCES agent (id) ON DELETE CASCADE,
    profile {ref} REFERENCES profile (id) ON DELETE SET NULL,
    ready BOOLEAN NOT NULL DEFAULT FALSE,
    reason TEXT NOT NULL DEFAULT '',
    gone_at TIMESTAMPTZ,
    here BOOLEAN NOT NULL DEFAULT TRUE,
    idle_since_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE widget (
    id {id},
    key TEXT NOT NULL DEFAULT '' UNIQUE,
    name TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT 'nl',
    origins JSON NOT NULL DEFAULT '[]',
    form JSON NOT NULL DEFAULT '[]',
    privacy JSON NOT NULL DEFAULT '{}',
    info_url TEXT NOT NULL DEFAULT '',
    info_card JSON NOT NULL DEFAULT '{}'
);

CREATE TABLE subject (
    id {id},
    widget {ref} NOT NULL REFERENCES widget (id) ON DELETE CASCADE,
    queue {ref} NOT NULL REFERENCES queue (id) ON DELETE RESTRICT,
    label JSON NOT NULL DEFAULT '{}',
    position INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX subject_widget ON subject (widget, position);

CREATE TABLE visitor (
    id {id},
    widget {ref} NOT NULL REFERENCES widget (id) ON DELETE RESTRICT,
    token_hash TEXT NOT NULL DEFAULT '' UNIQUE,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE chat (
    id {id},
    visitor {ref} NOT NULL REFERENCES visitor (id) ON DELETE RESTRICT,
    widget {ref} NOT NULL REFERENCES widget (id) ON DELETE RESTRICT,
    queue {ref} NOT NULL REFERENCES queue (id) ON DELETE RESTRICT,
    state TEXT NOT NULL DEFAULT 'forming',
    ticket_at TIMESTAMPTZ NOT NULL,
    hold_until_at TIMESTAMPTZ,
    promised_to {ref} REFERENCES agent (id) ON DELETE SET NULL,
    address_hash TEXT NOT NULL DEFAULT '',
    returned BOOLEAN NOT NULL DEFAULT FALSE,
    begun BOOLEAN NOT NULL DEFAULT FALSE,
    visitor_gone_at TIMESTAMPTZ,
    visitor_here BOOLEAN NOT NULL DEFAULT TRUE,
    alone_since_at TIMESTAMPTZ,
    outlook TEXT NOT NULL DEFAULT '',
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    ended_how TEXT NOT NULL DEFAULT '',
    ended_by {ref} REFERENCES agent (id) ON DELETE RESTRICT,
    language TEXT NOT NULL DEFAULT 'nl',
    page_url TEXT NOT NULL DEFAULT '',
    subject {ref} REFERENCES subject (id) ON DELETE SET NULL,
    visitor_name TEXT NOT NULL DEFAULT '',
    visitor_email TEXT NOT NULL DEFAULT '',
    seq INTEGER NOT NULL DEFAULT 0,
    visitor_read_seq INTEGER NOT NULL DEFAULT 0,
    unanswered_since_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX chat_one_unended_per_visitor ON chat (visitor) WHERE state <> 'ended';
CREATE INDEX chat_visitor ON chat (visitor);
CREATE INDEX chat_state ON chat (state, queue);
CREATE INDEX chat_address_hash ON chat (address_hash, state);
CREATE INDEX chat_promised_to ON chat (promised_to) WHERE promised_to IS NOT NULL;

CREATE TABLE presence (
    id {id},
    key TEXT NOT NULL DEFAULT '' UNIQUE,
    agent {ref} REFERENCES agent (id) ON DELETE CASCADE,
    chat {ref} REFERENCES chat (id) ON DELETE CASCADE,
    alive_until_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX presence_agent ON presence (agent);
CREATE INDEX presence_chat ON presence (chat);
CREATE INDEX presence_alive_until_at ON presence (alive_until_at);

CREATE TABLE message (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE RESTRICT,
    seq INTEGER NOT NULL DEFAULT 0,
    key TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT 'text',
    author TEXT NOT NULL DEFAULT '',
    agent {ref} REFERENCES agent (id) ON DELETE RESTRICT,
    name TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL DEFAULT '',
    data JSON NOT NULL DEFAULT '{}',
    sent_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX message_seq ON message (chat, seq);
CREATE UNIQUE INDEX message_key ON message (chat, key);

CREATE TABLE reservation (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE RESTRICT,
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE RESTRICT,
    queue {ref} NOT NULL REFERENCES queue (id) ON DELETE RESTRICT,
    opened_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    outcome TEXT NOT NULL DEFAULT '',
    closed_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX reservation_one_open_per_chat ON reservation (chat) WHERE outcome = '';
CREATE UNIQUE INDEX reservation_one_open_per_agent ON reservation (agent) WHERE outcome = '';
CREATE INDEX reservation_chat ON reservation (chat);
CREATE INDEX reservation_agent ON reservation (agent, outcome);
CREATE INDEX reservation_outcome ON reservation (outcome, expires_at);

CREATE TABLE participation (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE RESTRICT,
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE RESTRICT,
    queue {ref} REFERENCES queue (id) ON DELETE RESTRICT,
    joined_at TIMESTAMPTZ NOT NULL,
    left_at TIMESTAMPTZ,
    left_how TEXT NOT NULL DEFAULT '',
    read_seq INTEGER NOT NULL DEFAULT 0,
    tab_open BOOLEAN NOT NULL DEFAULT TRUE
);
CREATE UNIQUE INDEX participation_one_present ON participation (chat, agent) WHERE left_at IS NULL;
CREATE INDEX participation_present ON participation (agent) WHERE left_at IS NULL;
CREATE INDEX participation_chat ON participation (chat);
CREATE INDEX participation_tabs ON participation (agent, tab_open);

CREATE TABLE refusal (
    id {id},
    chat {ref} NOT NULL REFERENCES chat (id) ON DELETE CASCADE,
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    how TEXT NOT NULL DEFAULT '',
    refused_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX refusal_once ON refusal (chat, agent);
CREATE INDEX refusal_agent ON refusal (agent);

CREATE TABLE step (
    id {id},
    chat {ref} REFERENCES chat (id) ON DELETE RESTRICT,
    agent {ref} REFERENCES agent (id) ON DELETE RESTRICT,
    what TEXT NOT NULL DEFAULT '',
    data JSON NOT NULL DEFAULT '{}',
    happened_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX step_chat ON step (chat);
CREATE INDEX step_agent ON step (agent);
