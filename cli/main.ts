import { escapeControlsInLines, exitWhenWritten, maskSecrets } from '@orderly/service-kit'
import { explain } from './command-line/explain.ts'
import { helpOf } from './command-line/help.ts'
import { createOutput } from './command-line/output.ts'
import { parseInvocation } from './command-line/parse.ts'
import { commands } from './commands.ts'
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
  const invocation = parseInvocation(process.argv.slice(2), commands)
  if ('help' in invocation) {
    process.stdout.write(`${helpOf(invocation.help, commands)}\n`)
    exitCode = 0
  } else {
    const { command, argument, options, isJson } = invocation
    const output = createOutput(process, isJson)
    connections = createConnections(process.env, output.progress)
    exitCode = await command.run({ argument, options, output, connections, signal: ending.signal })
  }
} catch (error) {
  exitCode = ending.signal.aborted ? 130 : ((error as { exitCode?: number }).exitCode ?? 1)
  if (!ending.signal.aborted) process.stderr.write(`${escapeControlsInLines(maskSecrets(explain(error)))}\n`)
}
await connections?.close()
await exitWhenWritten(exitCode)
