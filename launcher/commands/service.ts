import { type CommandSpec, UsageError } from '@orderly/command-line'
import { besideStack, runInForeground } from '../beside-stack.ts'
import { checkServiceSettings } from '../preflight/service-settings.ts'
import { type AnyServiceName, mainFile, serviceNames } from '../services.ts'
import { runCommand } from './command.ts'

const names: readonly AnyServiceName[] = [...serviceNames, 'monitor']

const spec: CommandSpec = {
  name: 'npm run service --',
  summary: 'run one service in the foreground, beside npm start; Ctrl-C stops it',
  argument: 'NAME',
  examples: ['npm run service -- inventory', 'INSTANCE_ID=2 HTTP_PORT=8091 npm run service -- inventory'],
  options: {},
  notes: `NAME is one of ${names.join(', ')}.

The addresses of Kafka, the registry and the database are those of the stack that runs in this checkout. Without one,
set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL, or the port settings of npm start (ORDERLY_PORT_BASE, …).
The service listens on its port of the stack; HTTP_PORT sets another one.`
}

await runCommand(spec, async context => {
  const [given] = context.positionals
  const name = names.find(each => each === given)
  if (name === undefined) throw new UsageError(`Unknown service "${given}": use one of ${names.join(', ')}.`)
  const env = besideStack(process.env, name)
  checkServiceSettings([name], () => env)
  return runInForeground(context, { name, args: [mainFile(name)], env })
})
