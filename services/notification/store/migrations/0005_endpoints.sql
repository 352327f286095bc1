-- Webhook endpoints besides those of the settings. The secrets have a table without any constraint on them, because Postgres
-- writes a row that violates one into its log.
CREATE TABLE notification.endpoints (
  name text COLLATE "C" NOT NULL,
  -- The caller whose notifications the endpoint gets; NULL: it is the operator's and gets those of all callers.
  caller text COLLATE "C",
  target text COLLATE "C" PRIMARY KEY GENERATED ALWAYS AS ('webhook:' || coalesce(caller || '/', '') || name) STORED,
  url text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz
);

CREATE TABLE notification.endpoint_secrets (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target text COLLATE "C" NOT NULL REFERENCES notification.endpoints ON DELETE CASCADE,
  secret text, -- whsec_…; every webhook has a signature by each of them
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX endpoint_secrets_of_target ON notification.endpoint_secrets (target);
