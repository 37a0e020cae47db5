-- The log: every conversation can be searched. What is due shows from two numbers that differ, in an index of
-- nothing but that: writing a message takes no statement more.

ALTER TABLE chat ADD COLUMN log_seq INTEGER NOT NULL DEFAULT -1;
CREATE INDEX chat_log_due ON chat (id) WHERE seq <> log_seq AND started_at IS NOT NULL;
CREATE INDEX chat_started_at ON chat (started_at);

ALTER TABLE private_thread ADD COLUMN log_seq INTEGER NOT NULL DEFAULT 0;
CREATE INDEX private_thread_log_due ON private_thread (chat) WHERE seq <> log_seq;

-- The words of a conversation, folded by us: a row has the number of its chat.
{sqlite} CREATE VIRTUAL TABLE log_words USING fts5 (words, tokenize = 'ascii', detail = 'none', prefix = '3 4 5 6');
{postgresql} CREATE TABLE log_words (chat BIGINT PRIMARY KEY REFERENCES chat (id) ON DELETE CASCADE, words TSVECTOR NOT NULL);
{postgresql} CREATE INDEX log_words_words ON log_words USING gin (words);
