-- The people of the desk: languages, links that work once, a second factor, and which browsers are signed in.

ALTER TABLE role ADD COLUMN second_factor BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE agent ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN languages JSON NOT NULL DEFAULT '[]';
ALTER TABLE agent ADD COLUMN totp_secret TEXT NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN totp_new TEXT NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;
UPDATE agent SET languages = '["nl"]' WHERE language = 'nl';
UPDATE agent SET languages = '["fr"]' WHERE language = 'fr';
UPDATE agent SET languages = '["de"]' WHERE language = 'de';
UPDATE agent SET languages = '["en"]' WHERE language = 'en';

ALTER TABLE one_time_link ADD COLUMN agent {ref} REFERENCES agent (id) ON DELETE CASCADE;
CREATE INDEX one_time_link_agent ON one_time_link (agent, purpose);

ALTER TABLE mail ADD COLUMN agent {ref} REFERENCES agent (id) ON DELETE CASCADE;

ALTER TABLE session ADD COLUMN browser TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN seen_at TIMESTAMPTZ;

-- What lets somebody in whose telephone is gone. Each works once, and is gone then.
CREATE TABLE recovery_code (
    id {id},
    agent {ref} NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    code_hash TEXT NOT NULL DEFAULT ''
);
CREATE INDEX recovery_code_agent ON recovery_code (agent);
