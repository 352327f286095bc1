-- The topic whose offsets are counted: those of a topic that was created again begin at 0 again.
ALTER TABLE aggregator.partitions ADD COLUMN topic_id uuid;
