-- What becomes of an order besides its outcome. Any of these may be read before the order itself.
ALTER TABLE orders.orders
  DROP CONSTRAINT orders_check2,

  -- Of OrderCreated and InventoryReserved.
  ADD COLUMN hold_seconds integer,
  ADD COLUMN hold_until timestamptz,

  -- Of InventoryConfirmed.
  ADD COLUMN confirmed_at timestamptz,
  ADD COLUMN confirmation_partition integer,
  ADD COLUMN confirmation_offset bigint,

  -- Of InventoryReleased.
  ADD COLUMN release_cause text,
  ADD COLUMN released_at timestamptz,
  ADD COLUMN release_partition integer,
  ADD COLUMN release_offset bigint,

  ADD CHECK ((confirmed_at IS NULL) = (confirmation_offset IS NULL)),
  ADD CHECK ((released_at IS NULL) = (release_offset IS NULL)),
  ADD CHECK (num_nonnulls(accepted_at, outcome, confirmed_at, released_at) > 0);
