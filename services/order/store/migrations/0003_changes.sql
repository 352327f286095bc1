-- What becomes of an order besides its outcome. Any of these may be read before the order itself.
ALTER TABLE orders.orders
  DROP CONSTRAINT orders_check2,

  -- Of OrderCreated and InventoryReserved.
  ADD COLUMN hold_seconds integer,
  ADD COLUMN hold_until timestamptz,

  -- Of InventoryConfirmed.
  ADD COLUMN confirmed_at timestamptz,
  ADD COLUMN confirmation_request text,
  ADD COLUMN confirmation_partition integer,
  ADD COLUMN confirmation_offset bigint,

  -- Of InventoryReleased.
  ADD COLUMN release_cause text,
  ADD COLUMN released_at timestamptz,
  ADD COLUMN release_request text,
  ADD COLUMN release_partition integer,
  ADD COLUMN release_offset bigint,

  ADD CHECK (num_nulls(confirmed_at, confirmation_request, confirmation_offset) IN (0, 3)),
  ADD CHECK (num_nulls(released_at, release_request, release_offset) IN (0, 3)),
  ADD CHECK (num_nonnulls(accepted_at, outcome, confirmed_at, released_at) > 0);
