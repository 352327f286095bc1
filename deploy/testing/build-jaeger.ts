import { type CommandSpec, readArguments } from '@orderly/command-line'
import { withGo } from './build-with-go.ts'
import { jaegerProgram, jaegerVersion } from './jaeger.ts'

const spec: CommandSpec = {
  name: 'npm run build:jaeger --',
  summary: 'build Jaeger, with Go',
  examples: ['npm run build:jaeger'],
  options: {},
  notes: 'It takes six minutes of CPU time once, and is kept in .orderly/tools. npm run test:tracing needs it.'
}
readArguments(spec)

try {
  const program = { module: 'github.com/jaegertracing/jaeger', version: jaegerVersion, path: 'cmd/jaeger' }
  await withGo(go => go.build(jaegerProgram, program))
} catch (error) {
  process.stderr.write(`Jaeger could not be built: ${(error as Error).message}\n`)
  process.exitCode = 1
}
