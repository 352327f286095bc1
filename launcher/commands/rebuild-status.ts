import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { besideStack, runInForeground } from '../beside-stack.ts'
import { projectDirectory } from '../directories.ts'
import { runCommand } from './command.ts'

const program = join(projectDirectory, 'services', 'order', 'projection', 'rebuild.ts')

const usage = `npm run rebuild-status: rebuild the status of all orders from the topics, while the services run

The addresses are those of the stack that runs in this checkout. Without one, set KAFKA_BROKERS, SCHEMA_REGISTRY_URL
and DATABASE_URL, or the port settings of npm start (ORDERLY_PORT_BASE, …).

Example:
  npm run rebuild-status`

await runCommand(async context => {
  const { help } = parseArgs({ options: { help: { type: 'boolean' } } }).values
  if (help === true) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  return runInForeground(context, { name: 'rebuild-status', args: [program], env: besideStack(process.env) })
})
