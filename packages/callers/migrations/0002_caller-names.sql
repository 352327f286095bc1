-- A caller's name is a part of record keys, where U+001F ends it.
ALTER TABLE callers.callers ADD CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$');
