-- What became of each order, as the topics tell it. Filled by the projection only, and from the topics at any time again.
-- The topics are read independently of each other, so an outcome may be read before the order that it decides.
CREATE TABLE orders.orders (
  order_id text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,

  -- Of OrderCreated.
  items jsonb,
  total_minor bigint,
  currency text,
  accepted_at timestamptz,
  trace_id text,
  created_partition integer,
  created_offset bigint,

  -- Of InventoryReserved or InventoryFailed.
  outcome text CHECK (outcome IN ('reserved', 'failed')),
  reason text,
  shortages jsonb,
  decided_at timestamptz,
  outcome_partition integer,
  outcome_offset bigint,

  CHECK ((accepted_at IS NULL) = (created_offset IS NULL)),
  CHECK ((outcome IS NULL) = (outcome_offset IS NULL)),
  CHECK (accepted_at IS NOT NULL OR outcome IS NOT NULL)
) WITH (fillfactor = 75); -- room for a row's second version on its own page, so that the indexes are left alone

-- Ids rise with time (UUID version 7): read backwards, this is one user's orders, the newest first.
CREATE INDEX orders_of_user ON orders.orders (user_id, order_id);
