-- How far a visitor's window has got the messages, beside how far they have been read; and what was withdrawn.

ALTER TABLE chat ADD COLUMN visitor_got_seq INTEGER NOT NULL DEFAULT 0;
UPDATE chat SET visitor_got_seq = visitor_read_seq;

ALTER TABLE message ADD COLUMN withdrawn_at TIMESTAMPTZ;
ALTER TABLE offer ADD COLUMN withdrawn_at TIMESTAMPTZ;
