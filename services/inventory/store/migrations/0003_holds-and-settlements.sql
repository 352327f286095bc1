-- Until when the stock of a reserved order is held for a confirmation, where there is such a time.
ALTER TABLE inventory.outcomes
  ADD COLUMN hold_until timestamptz,
  ADD CHECK (hold_until IS NULL OR kind = 'reserved');

-- One row for each transition of a reserved order, never changed: a confirmation, a release. The primary key is what makes each
-- happen only once.
CREATE TABLE inventory.settlements (
  order_id text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('confirmed', 'released')),
  -- Drawn where outcomes draw theirs, while the stock is locked: says between which decisions a release took place.
  sequence bigint NOT NULL DEFAULT nextval('inventory.outcomes_sequence_seq'),
  cause text CHECK (cause IN ('cancelled', 'expired')),
  settled_at timestamptz NOT NULL,
  -- The record that made it so, which is answered the same whenever it is read again.
  changes_partition integer NOT NULL,
  changes_offset bigint NOT NULL,
  PRIMARY KEY (order_id, kind),
  CHECK ((kind = 'released') = (cause IS NOT NULL))
);

-- Holds that are neither confirmed nor released, so small whatever else grows.
CREATE TABLE inventory.holds (
  order_id text COLLATE "C" PRIMARY KEY,
  user_id text NOT NULL,
  -- When its expiry is to be asked for: the end of the hold, and again later while nothing has come of it.
  expire_at timestamptz NOT NULL
);

CREATE INDEX holds_due ON inventory.holds (expire_at);
