-- The batches of orders with idempotency keys that may not be stored yet. The orders of a partition
-- that were claimed together form one batch with one sequence reservation. Whoever completes them
-- writes exactly these bytes. A row is deleted when the brokers have acknowledged its batch, so the
-- table is nearly empty.
CREATE TABLE orders.reserved_batches (
  id uuid PRIMARY KEY,
  topic_partition integer NOT NULL,
  batch bytea NOT NULL, -- the encoded record batch of Kafka, with the sequence reservation
  attempt integer NOT NULL DEFAULT 1,
  -- Every attempt sets it. The keys of a batch are not pruned while it is retried.
  lease_until timestamptz NOT NULL,
  reserved_at timestamptz NOT NULL DEFAULT now()
);

-- Rows live for milliseconds, so compressing them would only cost time.
ALTER TABLE orders.reserved_batches ALTER COLUMN batch SET STORAGE EXTERNAL;

-- The batch of an order. The order is stored if the batch has no row in `reserved_batches`. NULL for
-- a change request, and for an order that version 0.1.0 has claimed: that one has a sequence
-- reservation in its own row, and a state.
--
-- In a row with a batch, lease_until is 13 hours after the claim. Version 0.1.0, which may run at
-- the same time, then leaves the order to newer instances for as long as brokers are trusted to
-- recognize its batch. After that it looks for the order, as it does for its own old orders.
ALTER TABLE orders.idempotency_keys ADD COLUMN batch_id uuid;

-- A row with a batch has no sequence reservation.
ALTER TABLE orders.idempotency_keys DROP CONSTRAINT idempotency_keys_check1;

-- Rows with a batch do not change.
ALTER TABLE orders.idempotency_keys SET (fillfactor = 100);
