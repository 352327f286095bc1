-- Who placed the order, as the record says; NULL where nobody was asked.
ALTER TABLE orders.orders ADD COLUMN caller text COLLATE "C";

-- As orders_of_user, for a shop: user ids of different shops may be the same. Costs nothing where nobody is asked.
CREATE INDEX orders_of_caller ON orders.orders (caller, user_id, order_id) WHERE caller IS NOT NULL;
