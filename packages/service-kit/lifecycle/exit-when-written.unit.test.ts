import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

const module = import.meta.resolve('./exit-when-written.ts')
const bytes = 5_000_000

/** Runs a program that writes more than a pipe holds, delays reading, and counts the bytes. */
async function bytesFrom(lastStatement: string): Promise<{ read: number; code: number }> {
  const program = `import { exitWhenWritten } from '${module}'
    process.stdout._handle?.setBlocking?.(false)
    process.stdout.write('x'.repeat(${bytes}))
    process.stderr.write('written')
    ${lastStatement}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const exited = once(child, 'exit')
  await once(child.stderr, 'data')
  let read = 0
  for await (const chunk of child.stdout) read += chunk.length
  return { read, code: (await exited)[0] }
}

test('a slow reader of a pipe receives all output, and the exit code is kept', async () => {
  assert.deepEqual(await bytesFrom('await exitWhenWritten(3)'), { read: bytes, code: 3 })
})
