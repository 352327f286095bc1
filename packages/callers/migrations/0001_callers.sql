-- Who may call, and by which keys they are known. A caller may have several keys, so that one can be replaced without a gap.
CREATE TABLE callers.callers (
  name text COLLATE "C" PRIMARY KEY CHECK (name <> 'anyone'), -- whose orders are nobody's: see services/order
  role text NOT NULL CHECK (role IN ('shop', 'operator')),
  requests_per_minute integer CHECK (requests_per_minute > 0), -- NULL: as many as the service grants
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE callers.api_keys (
  id text COLLATE "C" PRIMARY KEY, -- the part of the key that is no secret
  caller text COLLATE "C" NOT NULL REFERENCES callers.callers,
  hash bytea NOT NULL UNIQUE, -- SHA-256 of the whole key, which itself is kept nowhere
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
