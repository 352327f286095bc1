-- Texts that are only compared for equality and locked in order have the collation "C": byte order
-- is the cheapest order, and it is the same everywhere.

-- Numbers decisions, settlements and stock movements. The service draws a number while the rows of
-- its SKUs are locked, so the numbers of each SKU rise in the order of its changes.
CREATE SEQUENCE inventory.decisions;

CREATE TABLE inventory.stock (
  sku text COLLATE "C" PRIMARY KEY,
  available bigint NOT NULL CHECK (available >= 0),
  reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0)
) WITH (fillfactor = 50); -- room for new versions of a row on its own page, without index changes

-- One row for each decided order, which never changes. The primary key ensures that an order is
-- decided only once.
CREATE TABLE inventory.outcomes (
  order_id text COLLATE "C" PRIMARY KEY,
  sequence bigint NOT NULL DEFAULT nextval('inventory.decisions'),
  user_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('reserved', 'failed')),
  items jsonb,
  reason text,
  shortages jsonb,
  decided_at timestamptz NOT NULL,
  hold_until timestamptz, -- end time of the hold; NULL for an order without a hold
  -- The caller that placed the order, from the header of its record; NULL while API keys are off.
  -- The outcome stores it because a repeated batch must write the same key and the same header
  -- again.
  caller text,
  CHECK ((kind = 'reserved') = (items IS NOT NULL)),
  CHECK ((kind = 'failed') = (reason IS NOT NULL AND shortages IS NOT NULL)),
  CHECK (hold_until IS NULL OR kind = 'reserved')
);

-- The stock that orders have reserved, per SKU. `stock.reserved` is always the sum of these rows.
CREATE TABLE inventory.reservation_lines (
  order_id text COLLATE "C" NOT NULL,
  sku text COLLATE "C" NOT NULL,
  quantity bigint NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_id, sku)
);

-- Every movement of stock, with its actor and reason. For each SKU at any time, the sum of `delta`
-- is available + reserved, because reservations and releases move pieces only between those two.
CREATE TABLE inventory.stock_movements (
  movement_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), -- unique also after a restore to an earlier state
  sequence bigint NOT NULL DEFAULT nextval('inventory.decisions'),
  sku text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('opening', 'seed', 'set', 'adjust', 'count')),
  delta bigint NOT NULL,
  -- Values after the movement.
  available bigint NOT NULL,
  reserved bigint NOT NULL,
  by_whom text NOT NULL,
  reason text,
  moved_at timestamptz NOT NULL DEFAULT now(),
  -- Idempotency key of an adjustment: repeated requests with it are applied once.
  caller text COLLATE "C",
  idempotency_key text COLLATE "C",
  -- True if the movement is in the topic. Rows with false are the queue of the publisher.
  published boolean NOT NULL DEFAULT false,
  CHECK ((caller IS NULL) = (idempotency_key IS NULL)),
  CONSTRAINT stock_movements_once UNIQUE (caller, idempotency_key)
);

CREATE INDEX stock_movements_of_sku ON inventory.stock_movements (sku, sequence);
CREATE INDEX stock_movements_unpublished ON inventory.stock_movements (sequence) WHERE NOT published;

-- One row for each settlement of a reserved order, a confirmation or a release. Rows never change.
CREATE TABLE inventory.settlements (
  order_id text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('confirmed', 'released')),
  request_id text COLLATE "C" NOT NULL, -- the change request that caused it
  sequence bigint NOT NULL DEFAULT nextval('inventory.decisions'),
  cause text CHECK (cause IN ('cancelled', 'expired')),
  settled_at timestamptz NOT NULL,
  -- The record of the change request. The service writes the same event whenever it reads that
  -- record again. NULL for a row that was rebuilt from its event: its record precedes the committed
  -- offsets.
  changes_partition integer,
  changes_offset bigint,
  changes_topic_id uuid, -- a topic that was created again has the same positions again
  PRIMARY KEY (order_id, request_id),
  CHECK ((changes_partition IS NULL) = (changes_offset IS NULL)),
  CHECK ((kind = 'released') = (cause IS NOT NULL))
);

-- An order is released at most once and confirmed at most once.
CREATE UNIQUE INDEX settlements_one_release ON inventory.settlements (order_id) WHERE kind = 'released';
CREATE UNIQUE INDEX settlements_one_confirmation ON inventory.settlements (order_id) WHERE kind = 'confirmed';

-- Holds that are neither confirmed nor released. The table stays small while other tables grow.
CREATE TABLE inventory.holds (
  order_id text COLLATE "C" PRIMARY KEY,
  user_id text NOT NULL,
  -- When the service requests the expiry: at the end time of the hold, and again later until it
  -- takes effect.
  expire_at timestamptz NOT NULL,
  caller text -- as in `outcomes`; the expiry must write the same key and the same header
);

CREATE INDEX holds_due ON inventory.holds (expire_at);
-- For the number of pieces that a caller holds, where it is limited.
CREATE INDEX holds_of_caller ON inventory.holds (coalesce(caller, ''));

-- Positions and incidents of the stage. Every service has identical tables.

-- The position of each partition that the service's group reads. The effects of all records before
-- it are in this database.
CREATE TABLE inventory.positions (
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
CREATE TABLE inventory.incidents (
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

CREATE INDEX incidents_open ON inventory.incidents (group_id) WHERE acknowledged_at IS NULL;
