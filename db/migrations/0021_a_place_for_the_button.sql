-- What the sites of a widget need for themselves at the edges of the screen, in pixels.

ALTER TABLE widget ADD COLUMN clear_bottom INTEGER NOT NULL DEFAULT 0;
ALTER TABLE widget ADD COLUMN clear_right INTEGER NOT NULL DEFAULT 0;
