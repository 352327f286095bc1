-- Orders that come together lie on the same page and get their outcomes together: with room for a second version of each, the indexes are left alone (HOT).
-- With a quarter of the page, which was for one at a time, that held for two of five.
ALTER TABLE orders.orders SET (fillfactor = 50);
