-- The colours of the organisation's own house style, and how each person wants the screens to look.

ALTER TABLE desk ADD COLUMN house_style JSON NOT NULL DEFAULT '{}';
ALTER TABLE agent ADD COLUMN look TEXT NOT NULL DEFAULT '';
