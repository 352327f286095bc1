import { databaseSchemas, migrateAll } from '../../deploy/postgres/schemas.ts'
import type { Command } from '../command-line/command.ts'

export const runMigrations: Command = {
  name: 'migrate',
  summary:
    'migrate the schemas of the database and grant the roles their privileges, as their owner (DATABASE_OWNER_URL)',
  examples: ['migrate'],
  options: {},
  async run({ output, connections, signal }) {
    const applied: { schema: string; migration: string; tookMs: number }[] = []
    const say = (fields: object, message: string) => {
      const { event: _event, ...shown } = fields as Record<string, unknown>
      output.progress(`${message}: ${describe(shown)}`)
    }
    const logger = {
      info(fields: object, message: string) {
        if (message === 'migration finished') applied.push(fields as (typeof applied)[number])
        if ('migration' in fields) say(fields, message)
      },
      warn: say
    }
    await migrateAll(connections.ownerDatabaseURL(), { logger, signal })
    const schemas = databaseSchemas.map(({ schema }) => schema)
    output.json({ schemas, applied })
    output.line(`${applied.length} migrations ran; up to date: ${schemas.join(', ')}.`)
    return 0
  }
}

function describe(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ')
}
