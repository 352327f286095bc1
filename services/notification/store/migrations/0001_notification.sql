-- The delivery table: one row for each notification and target. The primary key detects an event
-- that arrives a second time.
CREATE TABLE notification.deliveries (
  event_id text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  -- Rises in the order in which the notifications of one user were accepted.
  sequence bigint GENERATED ALWAYS AS IDENTITY,
  user_id text COLLATE "C" NOT NULL,
  content jsonb NOT NULL,
  traceparent text NOT NULL,
  status text NOT NULL DEFAULT 'due' CHECK (status IN ('due', 'sending', 'sent', 'exhausted', 'skipped')),
  attempts integer NOT NULL DEFAULT 0,
  code text, -- why the last attempt failed
  reason text,
  accepted_at timestamptz NOT NULL,
  finished_at timestamptz, -- when the delivery was sent, exhausted or skipped
  -- The caller that placed the order; '' for an order without one. The same user id of two callers
  -- names two users, so the caller is a part of the delivery lane.
  caller text COLLATE "C" NOT NULL DEFAULT '',
  PRIMARY KEY (event_id, target),
  CHECK ((finished_at IS NULL) = (status IN ('due', 'sending')))
)
-- Deliveries that arrive together are on the same page and are claimed together. With room for a
-- second version of each, the update changes no index (HOT). With only a fifth of the page free,
-- enough for one delivery at a time, that was true for a quarter of them.
WITH (fillfactor = 45);

CREATE INDEX deliveries_unfinished ON notification.deliveries (target, caller, user_id, sequence) WHERE finished_at IS NULL;
-- Rows are stored in the order in which they were accepted. A BRIN index has a hundredth of the
-- size of an index with an entry for each row.
CREATE INDEX deliveries_accepted ON notification.deliveries USING brin (accepted_at) WITH (pages_per_range = 16);

-- One row for each delivery lane that has deliveries in the status 'due' or 'sending'. A
-- transaction that adds deliveries or stores their results locks it.
CREATE TABLE notification.lanes (
  target text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  due_at timestamptz NOT NULL, -- when its first delivery is due; of a claimed lane: the end of the lease
  claim uuid,
  instance text,
  caller text COLLATE "C" NOT NULL DEFAULT '',
  PRIMARY KEY (target, caller, user_id)
);

-- Finds the due lanes of a target, and serves no other query. An index on the plain column `target`
-- would also match queries for one lane by target and user. On a table that is mostly empty the
-- planner rates all indexes equal, and with that index it read all lanes of the target for each
-- lane.
CREATE INDEX lanes_due ON notification.lanes ((target || ''), due_at);
CREATE INDEX lanes_claim ON notification.lanes (claim) WHERE claim IS NOT NULL;

CREATE TABLE notification.targets (
  target text PRIMARY KEY,
  fingerprint text NOT NULL,
  disabled_at timestamptz,
  reason text,
  -- When an instance last had the target. A target is removed when instances report others but not
  -- it.
  seen_at timestamptz NOT NULL DEFAULT now(),
  paused_until timestamptz -- end of the pause that the target requested (Retry-After)
);

-- Webhook endpoints in addition to those of the settings. The secrets are in a table without any
-- constraint on them, because Postgres logs a row that violates one.
CREATE TABLE notification.endpoints (
  name text COLLATE "C" NOT NULL,
  -- The caller whose notifications the endpoint receives. NULL: the endpoint belongs to the
  -- operator and receives the notifications of all callers.
  caller text COLLATE "C",
  target text COLLATE "C" PRIMARY KEY GENERATED ALWAYS AS ('webhook:' || coalesce(caller || '/', '') || name) STORED,
  url text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz
);

CREATE TABLE notification.endpoint_secrets (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target text COLLATE "C" NOT NULL REFERENCES notification.endpoints ON DELETE CASCADE,
  secret text, -- whsec_…; every webhook has a signature with each secret of its endpoint
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX endpoint_secrets_of_target ON notification.endpoint_secrets (target);

-- Positions and incidents of the stage. Every service has identical tables.

-- The position of each partition that the service's group reads. The effects of all records before
-- it are in this database.
CREATE TABLE notification.positions (
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
CREATE TABLE notification.incidents (
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

CREATE INDEX incidents_open ON notification.incidents (group_id) WHERE acknowledged_at IS NULL;
