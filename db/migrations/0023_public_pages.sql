-- The Dutch of Belgium or of the Netherlands; and what the public pages say of this desk.

ALTER TABLE desk ADD COLUMN dutch TEXT NOT NULL DEFAULT 'nl_BE';
ALTER TABLE desk ADD COLUMN accessibility_contact TEXT NOT NULL DEFAULT '';
ALTER TABLE desk ADD COLUMN accessibility_body TEXT NOT NULL DEFAULT '';
ALTER TABLE desk ADD COLUMN accessibility_on TEXT NOT NULL DEFAULT '';
ALTER TABLE desk ADD COLUMN security_contact TEXT NOT NULL DEFAULT '';
