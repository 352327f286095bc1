import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { orderlyDirectory, UserError } from '@orderly/launcher'
import type { LoadTool } from '../arguments.ts'
import { startOurs } from '../peers/ours.ts'
import { makeBodies } from './bodies.ts'

export interface LoadResult {
  /** Number of all requests, including failed ones. */
  readonly requests: number
  /** Number of refused or unanswered requests. */
  readonly errors: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Load {
  readonly connections: number
  readonly seconds: number
  /** Headers of each request, in addition to `content-type`. */
  readonly headers?: Readonly<Record<string, string>>
  /** True if each request has a unique idempotency key. */
  readonly isKeyed?: boolean
}

/**
 * A load generator that sends the next request of a connection as soon as the previous one is
 * answered.
 */
export interface ClosedLoop {
  readonly name: string
  run(url: string, load: Load): Promise<LoadResult>
  stop(): Promise<void>
}

/**
 * Starts a load generator. The one from npm is slower than wrk and k6, but available on every
 * machine.
 */
export async function startClosedLoop(tool: LoadTool): Promise<ClosedLoop> {
  if (tool === 'wrk') return startWrk()
  if (tool === 'k6') return startK6()
  const worker = startOurs('closed-loop-worker')
  return {
    name: 'undici',
    run: (url, load) => worker.ask<LoadResult>({ url, ...load }),
    stop: () => worker.stop()
  }
}

/** Checks that the load generator is installed. @throws UserError if it is not */
export async function requireLoadTool(tool: LoadTool): Promise<void> {
  if (tool === 'npm') return
  const [argument, where] = {
    wrk: ['--version', 'on Debian `apt-get install wrk`'],
    k6: ['version', 'see https://grafana.com/docs/k6']
  }[tool] as [string, string]
  // wrk prints its version and exits with 1.
  await promisify(execFile)(tool, [argument]).catch(error => {
    if (error.code === 'ENOENT') throw new UserError(`${tool} is not on PATH: install it (${where}), or omit --tool.`)
  })
}

function startK6(): ClosedLoop {
  const script = join(import.meta.dirname, 'slam.js')
  return {
    name: 'k6',
    async run(url, { connections, seconds, headers = {}, isKeyed = false }) {
      const settings = [
        ...[`URL=${url}`, `CONNECTIONS=${connections}`, `SECONDS=${seconds}`],
        ...[`HEADERS=${JSON.stringify(headers)}`, `KEYED=${isKeyed ? 1 : ''}`]
      ].flatMap(text => ['-e', text])
      // k6 exits with 99 if a threshold is missed; its summary reports those errors, too.
      const { stdout } = await promisify(execFile)('k6', ['run', '--quiet', ...settings, script]).catch(error => {
        if (error.code === 99) return error as { stdout: string }
        throw error
      })
      return JSON.parse(stdout) as LoadResult
    },
    stop: async () => {}
  }
}

async function startWrk(): Promise<ClosedLoop> {
  const directory = join(orderlyDirectory, 'bench')
  const script = join(directory, `wrk-${process.pid}.lua`)
  await mkdir(directory, { recursive: true })
  return {
    name: 'wrk',
    async run(url, { connections, seconds, headers = {}, isKeyed = false }) {
      await writeFile(script, wrkScript(headers, isKeyed))
      const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, `${url}/orders`]
      const { stdout } = await promisify(execFile)('wrk', args)
      return JSON.parse(stdout.slice(stdout.lastIndexOf('{'))) as LoadResult
    },
    stop: () => rm(script, { force: true })
  }
}

const wrkScript = (headers: Readonly<Record<string, string>>, isKeyed: boolean) => `
local bodies = { ${makeBodies()
  .map(body => `'${body}'`)
  .join(',\n')} }
local next = 0
wrk.method = 'POST'
${Object.entries({ 'content-type': 'application/json', ...headers })
  .map(([name, value]) => `wrk.headers['${name}'] = '${value}'`)
  .join('\n')}
request = function()
  next = next + 1
  ${isKeyed ? `wrk.headers['idempotency-key'] = '${randomUUID()}-' .. next` : ''}
  return wrk.format(nil, nil, nil, bodies[next % #bodies + 1])
end
done = function(summary, latency)
  local errors = summary.errors
  local unanswered = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('{"requests":%d,"errors":%d,"p50Ms":%f,"p99Ms":%f}', summary.requests + unanswered,
    unanswered + errors.status, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
`
