-- The sink makes the tables, but not the schema.
CREATE SCHEMA IF NOT EXISTS audit;
-- Where the schema registry of the compose file keeps its tables.
CREATE SCHEMA IF NOT EXISTS registry;
