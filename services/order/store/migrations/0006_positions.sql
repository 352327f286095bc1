-- The position of each partition that the service's group reads: the effects of all records before it are in this database.
CREATE TABLE orders.positions (
  group_id text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  topic_id uuid NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL CHECK (next_offset >= 0),
  leader_epoch integer NOT NULL, -- of the record before next_offset; -1 when it is unknown
  committed_offset bigint, -- known to be committed in Kafka; NULL until the first commit
  uncommitted_since timestamptz, -- first save of records that are not known to be committed
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (group_id, topic, partition)
) WITH (fillfactor = 25); -- every batch changes the rows of its partitions, on their own page

-- Data that was lost or changed in Kafka or in this database, as the service's stage noticed it.
CREATE TABLE orders.incidents (
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

CREATE INDEX incidents_open ON orders.incidents (group_id) WHERE acknowledged_at IS NULL;
