-- The topics that the facts of orders were read from. A topic that is created again has another id, and its offsets begin at 0 again.
CREATE TABLE orders.topics (
  number smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic_id uuid NOT NULL UNIQUE
);

-- Which of them each offset belongs to; NULL where that was not known.
ALTER TABLE orders.orders
  ADD COLUMN created_topic smallint,
  ADD COLUMN outcome_topic smallint,
  ADD COLUMN confirmation_topic smallint,
  ADD COLUMN release_topic smallint;
