import { parseArgs } from 'node:util'
import { besideStack, runInForeground } from '../beside-stack.ts'
import { checkServiceSettings } from '../preflight/service-settings.ts'
import { type AnyServiceName, mainFile, serviceNames } from '../services.ts'
import { UserError } from '../user-error.ts'
import { runCommand } from './command.ts'

const names: readonly AnyServiceName[] = [...serviceNames, 'monitor']

const usage = `npm run service -- NAME: run one service in the foreground, beside npm start; Ctrl-C stops it

  NAME  ${names.join(', ')}

The addresses of Kafka, the registry and the database are those of the stack that runs in this checkout. Without one,
set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL, or the port settings of npm start (ORDERLY_PORT_BASE, …).
The service listens on its port of the stack; HTTP_PORT sets another one.

Examples:
  npm run service -- inventory
  INSTANCE_ID=2 HTTP_PORT=8091 npm run service -- inventory`

await runCommand(async context => {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean' } } })
  if (values.help === true) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  const name = names.find(each => each === positionals[0])
  if (name === undefined || positionals.length > 1) {
    throw new UserError(`Name one service: npm run service -- NAME, with one of ${names.join(', ')}.`)
  }
  const env = besideStack(process.env, name)
  checkServiceSettings([name], () => env)
  return runInForeground(context, { name, args: [mainFile(name)], env })
})
