-- Creates the roles of Orderly and grants them access to the current database. Run it in Orderly's
-- database as a superuser, or as a role that may create roles and owns the database. Run it again
-- after an update; it is idempotent.
--
-- The roles get no password here, and a role without one cannot log in. Set a password for each
-- role with `\password orderly_order` in psql or with `ALTER ROLE`. `orderly migrate`, which runs
-- as `orderly_owner`, grants the privileges in the schemas.
DO $$
DECLARE
  role_name text;
  database text := quote_ident(current_database());
BEGIN
  FOREACH role_name IN ARRAY ARRAY[
    'orderly_owner', 'orderly_order', 'orderly_inventory', 'orderly_notification', 'orderly_aggregator',
    'orderly_monitor', 'orderly_connect', 'orderly_operator', 'orderly_registry'
  ] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', role_name);
    END IF;
  END LOOP;

  EXECUTE format('REVOKE ALL ON DATABASE %s FROM PUBLIC', database);
  EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %s TO orderly_owner', database);
  EXECUTE format('GRANT CONNECT ON DATABASE %s TO orderly_order, orderly_inventory, orderly_notification, '
    'orderly_aggregator, orderly_monitor, orderly_connect, orderly_operator, orderly_registry', database);
  -- The rebuild of the order status uses a temporary table.
  EXECUTE format('GRANT TEMPORARY ON DATABASE %s TO orderly_order, orderly_owner', database);
  REVOKE ALL ON SCHEMA public FROM PUBLIC;

  -- The doctor inspects standbys. If the current role may not grant this, the doctor works without
  -- it.
  BEGIN
    GRANT pg_read_all_stats TO orderly_operator;
  EXCEPTION WHEN insufficient_privilege THEN
    NULL;
  END;

  -- The statements below act for other roles, which requires membership unless the role is a
  -- superuser.
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT orderly_connect, orderly_registry TO %I', current_user);
  END IF;
  -- The sink of Kafka Connect creates and owns the audit tables. Operators may read them.
  ALTER DEFAULT PRIVILEGES FOR ROLE orderly_connect GRANT SELECT ON TABLES TO orderly_operator;
  -- A schema registry that stores its schemas in Postgres creates its own tables and has no other
  -- access.
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'registry') THEN
    CREATE SCHEMA registry AUTHORIZATION orderly_registry;
  END IF;
END
$$;
