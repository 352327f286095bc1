/** Returns the environment without the addresses of external servers, which are not for tests. */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const { KAFKA_BROKERS: _kafka, DATABASE_URL: _database, SCHEMA_REGISTRY_URL: _registry, ...own } = process.env
  return own
}
