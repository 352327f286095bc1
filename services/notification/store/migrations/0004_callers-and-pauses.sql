-- The caller that placed the order; '' for an order without one. User ids of different callers are different users, so the caller is a part
-- of the lane.
ALTER TABLE notification.deliveries ADD COLUMN caller text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE notification.lanes ADD COLUMN caller text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE notification.lanes DROP CONSTRAINT lanes_pkey, ADD PRIMARY KEY (target, caller, user_id);

DROP INDEX notification.deliveries_unsettled;
CREATE INDEX deliveries_unsettled ON notification.deliveries (target, caller, user_id, sequence) WHERE settled_at IS NULL;

-- When an instance last had the target. A target that only others than this one are seen with was removed.
ALTER TABLE notification.targets ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now();

-- Until when the target has asked to be left alone (Retry-After).
ALTER TABLE notification.targets ADD COLUMN paused_until timestamptz;
