-- Numbers by which a person can be found or paid: visitors are warned before they send one, and the desk's side
-- sees it hidden until somebody asks for it. Who could read conversations goes on seeing the numbers in them, if
-- they ask, until an admin decides otherwise. The words of the log are written anew, without the numbers.

ALTER TABLE desk ADD COLUMN numbers TEXT NOT NULL DEFAULT 'bsn rrn iban card';
ALTER TABLE message ADD COLUMN numbers TEXT;
UPDATE chat SET log_seq = -1;
{sqlite}UPDATE role SET permissions = replace(permissions, ']', ', "reveal_numbers"]')
    WHERE permissions LIKE '%"chat"%' OR permissions LIKE '%"read_log"%';
{postgresql}UPDATE role SET permissions = replace(permissions::text, ']', ', "reveal_numbers"]')::json
    WHERE permissions::text LIKE '%"chat"%' OR permissions::text LIKE '%"read_log"%';
