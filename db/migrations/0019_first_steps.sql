-- The first steps of a new desk stand in the menu until they are done, or put away. A desk that has a widget
-- is not new.

ALTER TABLE desk ADD COLUMN guided BOOLEAN NOT NULL DEFAULT TRUE;
UPDATE desk SET guided = FALSE WHERE EXISTS (SELECT 1 FROM widget);
