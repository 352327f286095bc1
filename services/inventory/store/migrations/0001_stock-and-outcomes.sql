-- Texts that are only compared for equality and locked in order: byte order is the cheapest and the same everywhere.

-- Numbers decisions and stock movements. A number is drawn while the rows of its SKUs are locked, so the numbers of each SKU rise
-- in the order of what happened to it.
CREATE SEQUENCE inventory.decisions;

CREATE TABLE inventory.stock (
  sku text COLLATE "C" PRIMARY KEY,
  available bigint NOT NULL CHECK (available >= 0),
  reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0)
) WITH (fillfactor = 50); -- room for new versions of a row on its own page, so that the index is left alone

-- One row for each decided order, never changed. The primary key is what makes an order decided only once.
CREATE TABLE inventory.outcomes (
  order_id text COLLATE "C" PRIMARY KEY,
  sequence bigint NOT NULL DEFAULT nextval('inventory.decisions'),
  user_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('reserved', 'failed')),
  items jsonb,
  reason text,
  shortages jsonb,
  decided_at timestamptz NOT NULL,
  CHECK ((kind = 'reserved') = (items IS NOT NULL)),
  CHECK ((kind = 'failed') = (reason IS NOT NULL AND shortages IS NOT NULL))
);

-- What reserved orders hold, per SKU: stock.reserved is always the sum of these.
CREATE TABLE inventory.reservation_lines (
  order_id text COLLATE "C" NOT NULL,
  sku text COLLATE "C" NOT NULL,
  quantity bigint NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_id, sku)
);
