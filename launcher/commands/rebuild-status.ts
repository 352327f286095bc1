import { join } from 'node:path'
import type { CommandSpec } from '@orderly/command-line'
import { besideStack, runInForeground } from '../beside-stack.ts'
import { projectDirectory } from '../directories.ts'
import { runCommand } from './command.ts'

const program = join(projectDirectory, 'services', 'order', 'projection', 'rebuild.ts')

const spec: CommandSpec = {
  name: 'npm run rebuild-status --',
  summary: 'rebuild the status of all orders from the topics, while the services run',
  examples: ['npm run rebuild-status'],
  options: {},
  notes: `The addresses are those of the stack that runs in this checkout. Without one, set KAFKA_BROKERS, SCHEMA_REGISTRY_URL
and DATABASE_URL, or the port settings of npm start (ORDERLY_PORT_BASE, …).`
}

await runCommand(spec, context =>
  runInForeground(context, { name: 'rebuild-status', args: [program], env: besideStack(process.env) })
)
