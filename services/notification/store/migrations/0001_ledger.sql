-- One row for each notification and target. The primary key is what makes an event known the second time it comes.
CREATE TABLE notification.deliveries (
  event_id text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  -- Rises in the order in which the notifications of one user were accepted.
  sequence bigint GENERATED ALWAYS AS IDENTITY,
  user_id text COLLATE "C" NOT NULL,
  content jsonb NOT NULL,
  traceparent text NOT NULL,
  status text NOT NULL DEFAULT 'due' CHECK (status IN ('due', 'sending', 'sent', 'exhausted', 'skipped')),
  attempts integer NOT NULL DEFAULT 0,
  code text, -- why the last attempt failed
  reason text,
  accepted_at timestamptz NOT NULL,
  settled_at timestamptz,
  PRIMARY KEY (event_id, target),
  CHECK ((settled_at IS NULL) = (status IN ('due', 'sending')))
) WITH (fillfactor = 80); -- a delivery is taken in hand on its own page, without touching an index

CREATE INDEX deliveries_unsettled ON notification.deliveries (target, user_id, sequence) WHERE settled_at IS NULL;
-- Rows lie in the order in which they were accepted: a hundredth of the size of an index that knows each row.
CREATE INDEX deliveries_accepted ON notification.deliveries USING brin (accepted_at) WITH (pages_per_range = 16);

-- One row for each user and target that has deliveries which are not settled. Whoever adds or settles deliveries locks it.
CREATE TABLE notification.lanes (
  target text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  -- When its first delivery is to be sent; in hand: when that ends.
  due_at timestamptz NOT NULL,
  claim uuid,
  instance text,
  PRIMARY KEY (target, user_id)
);

CREATE INDEX lanes_due ON notification.lanes (target, due_at);
CREATE INDEX lanes_claim ON notification.lanes (claim) WHERE claim IS NOT NULL;

CREATE TABLE notification.targets (
  target text PRIMARY KEY,
  fingerprint text NOT NULL,
  disabled_at timestamptz,
  reason text
);
