-- Times are milliseconds since the epoch, as in the events.

-- A minute of event time. Increments are exact because each record of the input is counted in the transaction that
-- notes its offset below.
CREATE TABLE aggregator.windows (
  start_ms bigint PRIMARY KEY,
  orders bigint NOT NULL CHECK (orders >= 0),
  late bigint NOT NULL CHECK (late >= 0),
  revision bigint NOT NULL CHECK (revision > 0), -- rises with every change
  is_final boolean NOT NULL DEFAULT false,
  published_revision bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50); -- the current minute changes with every batch

-- Both are small at any time, so that what is still to be done is found without reading weeks of minutes.
CREATE INDEX windows_open ON aggregator.windows (start_ms) WHERE NOT is_final;
CREATE INDEX windows_unpublished ON aggregator.windows (start_ms) WHERE revision > published_revision;

-- Who counts locks the rows of its partitions first; who makes windows final locks all of them. So a window never becomes
-- final between looking at it and counting in it.
CREATE TABLE aggregator.partitions (
  partition integer PRIMARY KEY,
  next_offset bigint NOT NULL DEFAULT 0, -- all records before it are counted ...
  gaps jsonb NOT NULL DEFAULT '[]',      -- ... except in these ranges [from, to)
  complete_until_ms bigint,              -- everything written before this is counted
  first_kept_window_ms bigint NOT NULL DEFAULT 0, -- the same in all rows
  unplaced bigint NOT NULL DEFAULT 0     -- orders that came after their window was forgotten
) WITH (fillfactor = 50);
