-- The status of each order. Only the projection writes it, and it can be rebuilt from the topics at
-- any time. The projection reads the topics independently of each other, so it may read an outcome
-- or a later transition before the order itself.
CREATE TABLE orders.orders (
  order_id text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,

  -- From OrderCreated.
  items jsonb,
  total_minor bigint,
  currency text,
  accepted_at timestamptz,
  trace_id text,
  created_partition integer,
  created_offset bigint,

  -- From InventoryReserved or InventoryFailed.
  outcome text CHECK (outcome IN ('reserved', 'failed')),
  reason text,
  shortages jsonb,
  decided_at timestamptz,
  outcome_partition integer,
  outcome_offset bigint,

  -- From OrderCreated and InventoryReserved.
  hold_seconds integer,
  hold_until timestamptz,

  -- From InventoryConfirmed.
  confirmed_at timestamptz,
  confirmation_request text,
  confirmation_partition integer,
  confirmation_offset bigint,

  -- From InventoryReleased.
  release_cause text,
  released_at timestamptz,
  release_request text,
  release_partition integer,
  release_offset bigint,

  -- The caller that placed the order, from the record; NULL while API keys are off.
  caller text COLLATE "C",

  -- The topic of each offset, as a number of `topics`; NULL if it is unknown.
  created_topic smallint,
  outcome_topic smallint,
  confirmation_topic smallint,
  release_topic smallint,

  CHECK ((accepted_at IS NULL) = (created_offset IS NULL)),
  CHECK ((outcome IS NULL) = (outcome_offset IS NULL)),
  CHECK (num_nulls(confirmed_at, confirmation_request, confirmation_offset) IN (0, 3)),
  CHECK (num_nulls(released_at, release_request, release_offset) IN (0, 3)),
  CHECK (num_nonnulls(accepted_at, outcome, confirmed_at, released_at) > 0)
)
-- Orders that arrive together are on the same page and get their outcomes together. With room for a
-- second version of each, the update changes no index (HOT). With only a quarter of the page free,
-- enough for one order at a time, that was true for two of five.
WITH (fillfactor = 50);

-- Ids rise with time (UUID version 7). Read backwards, this index lists the orders of one user,
-- newest first.
CREATE INDEX orders_of_user ON orders.orders (user_id, order_id);

-- The same for a shop: users of different shops may have the same id. The index is empty while API
-- keys are off.
CREATE INDEX orders_of_caller ON orders.orders (caller, user_id, order_id) WHERE caller IS NOT NULL;

-- The topics that the facts of orders were read from. A topic that is created again has another id,
-- and its offsets begin at 0 again.
CREATE TABLE orders.topics (
  number smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic_id uuid NOT NULL UNIQUE
);

-- The request of each idempotency key: an order with its sequence reservation, or a change request.
-- A change request has no sequence reservation, because repeating it is harmless.
CREATE TABLE orders.idempotency_keys (
  caller text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  accepted_at_ms bigint NOT NULL,
  traceparent text NOT NULL,

  -- The sequence reservation: a producer id of Kafka and its next sequence number in this
  -- partition.
  topic_partition integer,
  producer_id bigint,
  producer_epoch integer,
  sequence integer,
  reserved_at timestamptz NOT NULL DEFAULT now(),
  needs_lookup boolean NOT NULL DEFAULT false,

  state text NOT NULL DEFAULT 'in-flight' CHECK (state IN ('in-flight', 'stored')),
  attempt integer NOT NULL DEFAULT 1,
  -- Every attempt sets it. Keys are pruned by it, so a key that is still retried is never too old.
  lease_until timestamptz NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (caller, key),
  CHECK (num_nulls(topic_partition, producer_id, producer_epoch, sequence) IN (0, 4)),
  CHECK (producer_id IS NOT NULL OR state = 'stored')
) WITH (fillfactor = 75); -- each row changes once, on its own page

CREATE INDEX idempotency_keys_by_age ON orders.idempotency_keys (lease_until);

-- Positions and incidents of the stage. Every service has identical tables.

-- The position of each partition that the service's group reads. The effects of all records before
-- it are in this database.
CREATE TABLE orders.positions (
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
