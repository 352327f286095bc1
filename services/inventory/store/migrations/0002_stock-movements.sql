-- Every change of stock that an operator made, with the operator's name and reason. For each SKU at any time:
-- the sum of delta = available + reserved, because reservations and releases move pieces between those two only.
CREATE TABLE inventory.stock_movements (
  movement_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), -- unique also after a restore to an earlier state
  sequence bigint NOT NULL DEFAULT nextval('inventory.decisions'),
  sku text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('opening', 'seed', 'set', 'adjust', 'count')),
  delta bigint NOT NULL,
  -- As they were after the movement.
  available bigint NOT NULL,
  reserved bigint NOT NULL,
  by_whom text NOT NULL,
  reason text,
  moved_at timestamptz NOT NULL DEFAULT now(),
  -- Of an adjustment: a key that the caller gave it, so that it takes place once however often it is requested.
  caller text COLLATE "C",
  idempotency_key text COLLATE "C",
  -- Whether the topic has it. The rows without are the publisher's queue.
  published boolean NOT NULL DEFAULT false,
  CHECK ((caller IS NULL) = (idempotency_key IS NULL)),
  CONSTRAINT stock_movements_once UNIQUE (caller, idempotency_key)
);

CREATE INDEX stock_movements_of_sku ON inventory.stock_movements (sku, sequence);
CREATE INDEX stock_movements_unpublished ON inventory.stock_movements (sequence) WHERE NOT published;

INSERT INTO inventory.stock_movements (sku, kind, delta, available, reserved, by_whom, reason)
SELECT sku, 'opening', available + reserved, available, reserved, 'migration', 'what there was when movements began to be kept'
FROM inventory.stock ORDER BY sku;
