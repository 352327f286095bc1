-- Until when the stock of a reserved order is held for a confirmation, where there is such a time.
ALTER TABLE inventory.outcomes
  ADD COLUMN hold_until timestamptz,
  ADD CHECK (hold_until IS NULL OR kind = 'reserved');

-- One row for each transition of a reserved order, never changed: a confirmation, a release.
CREATE TABLE inventory.settlements (
  order_id text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('confirmed', 'released')),
  request_id text COLLATE "C" NOT NULL, -- the change request that made it
  sequence bigint NOT NULL DEFAULT nextval('inventory.decisions'),
  cause text CHECK (cause IN ('cancelled', 'expired')),
  settled_at timestamptz NOT NULL,
  -- The record of the request, which is answered with the same event whenever it is read again. Unknown for a row that was rebuilt
  -- from its event: its record is below the committed offsets.
  changes_partition integer,
  changes_offset bigint,
  PRIMARY KEY (order_id, request_id),
  CHECK ((changes_partition IS NULL) = (changes_offset IS NULL)),
  CHECK ((kind = 'released') = (cause IS NOT NULL))
);

-- An order is released once at most, and confirmed once at most.
CREATE UNIQUE INDEX settlements_one_release ON inventory.settlements (order_id) WHERE kind = 'released';
CREATE UNIQUE INDEX settlements_one_confirmation ON inventory.settlements (order_id) WHERE kind = 'confirmed';

-- Holds that are neither confirmed nor released, so small whatever else grows.
CREATE TABLE inventory.holds (
  order_id text COLLATE "C" PRIMARY KEY,
  user_id text NOT NULL,
  -- When its expiry is to be asked for: the end of the hold, and again later while nothing has come of it.
  expire_at timestamptz NOT NULL
);

CREATE INDEX holds_due ON inventory.holds (expire_at);
