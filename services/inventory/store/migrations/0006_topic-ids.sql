-- The topic of the record that made the settlement: a topic that is created again has the same positions again.
ALTER TABLE inventory.settlements ADD COLUMN changes_topic_id uuid;
