-- The request that each idempotency key belongs to: an order and the slot in the topic that it is written to, or a change of an
-- order, which has no slot because a repeated change does no harm.
CREATE TABLE orders.idempotency_keys (
  caller text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  accepted_at_ms bigint NOT NULL,
  traceparent text NOT NULL,

  -- The slot: a producer id of Kafka's, and its next sequence number in this partition.
  topic_partition integer,
  producer_id bigint,
  producer_epoch integer,
  sequence integer,
  slot_at timestamptz NOT NULL DEFAULT now(),
  needs_lookup boolean NOT NULL DEFAULT false,

  state text NOT NULL DEFAULT 'in-flight' CHECK (state IN ('in-flight', 'stored')),
  attempt integer NOT NULL DEFAULT 1,
  -- Set by every attempt, so keys are pruned by it: a key that is still being retried is never too old.
  lease_until timestamptz NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (caller, key),
  CHECK (num_nulls(topic_partition, producer_id, producer_epoch, sequence) IN (0, 4)),
  CHECK (producer_id IS NOT NULL OR state = 'stored')
) WITH (fillfactor = 75); -- each row is changed once, on its own page

CREATE INDEX idempotency_keys_by_age ON orders.idempotency_keys (lease_until);
