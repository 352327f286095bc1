import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { projectDirectory } from '@orderly/launcher'

/** Runs the command behind `npm run verify -- --json …` as a child process. */
export async function runVerify(t: TestContext, ...args: string[]) {
  const child = spawn(process.execPath, [join(projectDirectory, 'quality', 'verify', 'main.ts'), '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, npm_config_json: undefined }
  })
  t.after(() => child.kill('SIGTERM'))
  let output = ''
  let progress = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    progress += text
  })
  const [code] = await once(child, 'close')
  return { code, output, progress }
}
