-- Times are milliseconds since the epoch, as in the events.

-- One row for each minute of event time. Counts are exact, because the transaction that counts a
-- record also stores its offset in `partitions`.
CREATE TABLE aggregator.windows (
  start_ms bigint PRIMARY KEY,
  orders bigint NOT NULL CHECK (orders >= 0),
  late bigint NOT NULL CHECK (late >= 0),
  revision bigint NOT NULL CHECK (revision > 0), -- rises with every change
  is_final boolean NOT NULL DEFAULT false,
  published_revision bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50); -- the current minute changes with every batch

-- Both indexes are small at any time. The service finds its remaining work without reading weeks of
-- minutes.
CREATE INDEX windows_open ON aggregator.windows (start_ms) WHERE NOT is_final;
CREATE INDEX windows_unpublished ON aggregator.windows (start_ms) WHERE revision > published_revision;

-- A transaction that counts first locks the rows of its partitions. A transaction that makes
-- windows final locks all rows. So a window never becomes final between the check and the count.
CREATE TABLE aggregator.partitions (
  partition integer PRIMARY KEY,
  next_offset bigint NOT NULL DEFAULT 0, -- all records before it are counted ...
  gaps jsonb NOT NULL DEFAULT '[]', -- ... except those in these ranges [from, to)
  complete_until_ms bigint, -- all records written before this time are counted
  first_kept_window_ms bigint NOT NULL DEFAULT 0, -- the same in all rows
  unplaced bigint NOT NULL DEFAULT 0, -- orders that arrived after their window was deleted
  -- The topic whose offsets are counted. The offsets of a topic that was created again begin at 0.
  topic_id uuid
) WITH (fillfactor = 50);

-- Positions and incidents of the stage. Every service has identical tables.

-- The position of each partition that the service's group reads. The effects of all records before
-- it are in this database.
CREATE TABLE aggregator.positions (
  group_id text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  topic_id uuid NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL CHECK (next_offset >= 0),
  leader_epoch integer NOT NULL, -- of the record before next_offset; -1 if it is unknown
  committed_offset bigint, -- known to be committed in Kafka; NULL until the first commit
  uncommitted_since timestamptz, -- first save of records that are not known to be committed
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (group_id, topic, partition)
) WITH (fillfactor = 25); -- every batch changes the rows of its partitions, on their own page

-- Data that was lost or changed in Kafka or in this database, as the service's stage detected it.
CREATE TABLE aggregator.incidents (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  group_id text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN
    ('offsets_skipped', 'topic_recreated', 'log_truncated', 'offsets_missing', 'database_behind', 'partitions_added')),
  topic text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  from_offset bigint,
  to_offset bigint,
  topic_id uuid,
  detail text,
  detected_at timestamptz NOT NULL DEFAULT now(),
  acknowledged_at timestamptz,
  acknowledged_by text
);

CREATE INDEX incidents_open ON aggregator.incidents (group_id) WHERE acknowledged_at IS NULL;
