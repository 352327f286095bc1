-- Deliveries that come together lie on the same page and are taken in hand together: with room for a second version of each, the indexes are left alone (HOT).
-- With a fifth of the page, which was for one at a time, that held for a quarter of them.
ALTER TABLE notification.deliveries SET (fillfactor = 45);
