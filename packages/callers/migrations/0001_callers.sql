-- The callers of the API and the keys that authenticate them. A caller may have several keys, so
-- that one can be replaced without a gap.

CREATE TABLE callers.callers (
  -- `anyone` is the name used for requests while API keys are off. The name is a part of record
  -- keys, where U+001F ends it.
  name text COLLATE "C" PRIMARY KEY
    CHECK (name <> 'anyone')
    CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
  role text NOT NULL CHECK (role IN ('shop', 'viewer', 'support', 'operator')),
  requests_per_minute integer CHECK (requests_per_minute > 0), -- NULL: the default quota of the service
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE callers.api_keys (
  id text COLLATE "C" PRIMARY KEY, -- the part of the key that is not secret
  caller text COLLATE "C" NOT NULL REFERENCES callers.callers,
  hash bytea NOT NULL UNIQUE, -- SHA-256 of the whole key, which is stored nowhere
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
