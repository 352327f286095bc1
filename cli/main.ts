import { HelpRequest, parseCommandLine } from '@orderly/command-line'
import { escapeControlsInLines, exitWhenWritten, maskSecrets } from '@orderly/service-kit'
import { explain } from './command-line/explain.ts'
import { createOutput } from './command-line/output.ts'
import { commandLine } from './commands.ts'
import { type Connections, createConnections } from './connections/connections.ts'

// The operator's command line: `npm run orderly -- <command>`.

/** Aborted by the first signal; a second signal exits the process. */
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (ending.signal.aborted) process.exit(130)
    ending.abort(new Error('ended by a signal'))
  })
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of the pipe has exited, as with `| head`.
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`The output cannot be written completely: ${error.message}.\n`)
  process.exit(1)
})

let connections: Connections | undefined
let exitCode: number
try {
  const { command, positionals, options } = parseCommandLine(commandLine, process.argv.slice(2))
  const output = createOutput(process, options.flag('json'))
  connections = createConnections(process.env, output.progress)
  exitCode = await command.run({
    argument: positionals[0],
    options,
    output,
    connections,
    signal: ending.signal
  })
} catch (error) {
  exitCode = ending.signal.aborted ? 130 : ((error as { exitCode?: number }).exitCode ?? 1)
  if (error instanceof HelpRequest) process.stdout.write(`${error.message}\n`)
  else if (!ending.signal.aborted) process.stderr.write(`${escapeControlsInLines(maskSecrets(explain(error)))}\n`)
}
await connections?.close()
await exitWhenWritten(exitCode)
