-- Which order each idempotency key belongs to, and where in the topic that order is, or is to be, written.
CREATE TABLE orders.idempotency_keys (
  caller text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  accepted_at_ms bigint NOT NULL,
  traceparent text NOT NULL,

  -- The slot: a producer id of Kafka's, and its next sequence number in this partition.
  topic_partition integer NOT NULL,
  producer_id bigint NOT NULL,
  producer_epoch integer NOT NULL,
  sequence integer NOT NULL,
  slot_at timestamptz NOT NULL DEFAULT now(),
  must_look boolean NOT NULL DEFAULT false,

  state text NOT NULL DEFAULT 'in-flight' CHECK (state IN ('in-flight', 'stored')),
  attempt integer NOT NULL DEFAULT 1,
  -- Set by every attempt, so keys are pruned by it: a key that is still being retried is never too old.
  lease_until timestamptz NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (caller, key)
) WITH (fillfactor = 75); -- each row is changed once, on its own page

CREATE INDEX idempotency_keys_by_age ON orders.idempotency_keys (lease_until);
