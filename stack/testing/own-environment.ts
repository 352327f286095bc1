/** Without the addresses of servers that whoever runs the tests has set: those are for them. */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const { KAFKA_BROKERS: _kafka, DATABASE_URL: _database, SCHEMA_REGISTRY_URL: _registry, ...own } = process.env
  return own
}
