-- The caller that placed the order, as the header of its record says; NULL without API keys. Kept with the outcome and the
-- hold, because a repeated batch and the expiry must write the same key and the same header again.
ALTER TABLE inventory.outcomes ADD COLUMN caller text;
ALTER TABLE inventory.holds ADD COLUMN caller text;

-- For the pieces that a caller holds, where they are limited.
CREATE INDEX holds_of_caller ON inventory.holds (coalesce(caller, ''));
