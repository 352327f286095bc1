-- Creates the roles of Orderly and gives them the database that this runs in. Run it in Orderly's database as a superuser, or as
-- a role that may create roles and owns the database; again after an update. It changes nothing that is right already.
--
-- No role gets a password here: a role without one cannot log in. Set one for each with `\password orderly_order` in psql, or by
-- `ALTER ROLE`. What the roles may do in the schemas is granted by `orderly migrate`, which runs as `orderly_owner`.
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
  -- The rebuild of the order status collects what it reads in a temporary table.
  EXECUTE format('GRANT TEMPORARY ON DATABASE %s TO orderly_order, orderly_owner', database);
  REVOKE ALL ON SCHEMA public FROM PUBLIC;

  -- The doctor looks at standbys. Where this role may not grant that, it does without.
  BEGIN
    GRANT pg_read_all_stats TO orderly_operator;
  EXCEPTION WHEN insufficient_privilege THEN
    NULL;
  END;

  -- Below, privileges are given in the name of other roles, which takes membership where this is no superuser.
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT orderly_connect, orderly_registry TO %I', current_user);
  END IF;
  -- The sink of Kafka Connect creates the audit tables and owns them. Operators look at them.
  ALTER DEFAULT PRIVILEGES FOR ROLE orderly_connect GRANT SELECT ON TABLES TO orderly_operator;
  -- A schema registry that keeps its schemas in Postgres creates its tables itself, and sees nothing else.
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'registry') THEN
    CREATE SCHEMA registry AUTHORIZATION orderly_registry;
  END IF;
END
$$;
