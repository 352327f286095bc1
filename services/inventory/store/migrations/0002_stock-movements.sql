-- Every change of stock that an operator made, with the operator's name and reason. For each SKU at any time:
-- the sum of delta = available + reserved, because reservations and releases move pieces between those two only.
CREATE TABLE inventory.stock_movements (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sku text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('opening', 'seed', 'set', 'adjust', 'count')),
  delta bigint NOT NULL,
  -- As they were then, behind the movement.
  available bigint NOT NULL,
  reserved bigint NOT NULL,
  by_whom text NOT NULL,
  reason text,
  moved_at timestamptz NOT NULL DEFAULT now(),
  -- Of an adjustment: a key that the caller gave it, so that it takes place once however often it is asked for.
  caller text COLLATE "C",
  idempotency_key text COLLATE "C",
  CHECK ((caller IS NULL) = (idempotency_key IS NULL)),
  CONSTRAINT stock_movements_once UNIQUE (caller, idempotency_key)
);

CREATE INDEX stock_movements_of_sku ON inventory.stock_movements (sku, id);

INSERT INTO inventory.stock_movements (sku, kind, delta, available, reserved, by_whom, reason)
SELECT sku, 'opening', available + reserved, available, reserved, 'migration', 'what there was when movements began to be kept'
FROM inventory.stock ORDER BY sku;
