-- Opening hours that know holidays, days of their own, a last intake, and that the chat is closed now.

ALTER TABLE queue ADD COLUMN keeps_holidays BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE queue ADD COLUMN last_intake_minutes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN closed_at TIMESTAMPTZ;
ALTER TABLE queue ADD COLUMN closed_until_at TIMESTAMPTZ;
ALTER TABLE queue ADD COLUMN closed_by {ref} REFERENCES agent (id) ON DELETE SET NULL;
ALTER TABLE queue ADD COLUMN closed_words JSON NOT NULL DEFAULT '{}';
UPDATE queue SET keeps_holidays = FALSE WHERE always_open;

CREATE TABLE holiday (
    id {id},
    calendar TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX holiday_once ON holiday (calendar, name);

CREATE TABLE special_day (
    id {id},
    queue {ref} REFERENCES queue (id) ON DELETE CASCADE,
    name TEXT NOT NULL DEFAULT '',
    first_day TEXT NOT NULL DEFAULT '',
    last_day TEXT NOT NULL DEFAULT '',
    blocks TEXT NOT NULL DEFAULT '',
    version INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX special_day_last ON special_day (last_day);
