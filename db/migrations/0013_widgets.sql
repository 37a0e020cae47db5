-- Widgets are set from their settings pages: colours and words of the button, and when a signing key last served.

ALTER TABLE widget ADD COLUMN colours JSON NOT NULL DEFAULT '{}';
ALTER TABLE widget ADD COLUMN button JSON NOT NULL DEFAULT '{}';
ALTER TABLE signing_key ADD COLUMN used_at TIMESTAMPTZ;
