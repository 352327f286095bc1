import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { orderlyDirectory, Refusal } from '@orderly/stack'
import type { LoadTool } from '../arguments.ts'
import { makeBody } from '../orders/make-orders.ts'
import { startOurs } from '../peers/ours.ts'

export interface LoadResult {
  readonly requests: number
  readonly errors: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Places orders as fast as they are taken. */
export interface ClosedLoop {
  readonly name: string
  run(url: string, connections: number, seconds: number): Promise<LoadResult>
  stop(): Promise<void>
}

/** With `wrk` where it is asked for, otherwise with what is on npm: slower itself, and there on every machine. */
export async function startClosedLoop(tool: LoadTool): Promise<ClosedLoop> {
  if (tool === 'wrk') return startWrk()
  if (tool === 'k6') return startK6()
  const worker = startOurs('closed-loop-worker')
  return {
    name: 'undici',
    run: (url, connections, seconds) => worker.ask<LoadResult>({ url, connections, seconds }),
    stop: () => worker.stop()
  }
}

/** @throws Refusal when there is no k6 */
async function startK6(): Promise<ClosedLoop> {
  await demand('k6', ['version'], 'see https://grafana.com/docs/k6')
  const script = join(import.meta.dirname, 'slam.js')
  return {
    name: 'k6',
    async run(url, connections, seconds) {
      const settings = [`URL=${url}`, `CONNECTIONS=${connections}`, `SECONDS=${seconds}`].flatMap(text => ['-e', text])
      // It exits with 99 when a threshold is missed, which the errors in its summary tell as well.
      const { stdout } = await promisify(execFile)('k6', ['run', '--quiet', ...settings, script]).catch(error => {
        if (error.code === 99) return error as { stdout: string }
        throw error
      })
      return JSON.parse(stdout) as LoadResult
    },
    stop: async () => {}
  }
}

/** @throws Refusal when the tool is not there */
async function demand(tool: LoadTool, args: readonly string[], where: string): Promise<void> {
  await promisify(execFile)(tool, [...args]).catch(error => {
    if (error.code === 'ENOENT')
      throw new Refusal(`${tool} is not on PATH: install it (${where}), or leave --tool out.`)
  })
}

/** @throws Refusal when there is no wrk */
async function startWrk(): Promise<ClosedLoop> {
  await demand('wrk', ['--version'], 'on Debian `apt-get install wrk`')
  const directory = join(orderlyDirectory, 'bench')
  const script = join(directory, `wrk-${process.pid}.lua`)
  await mkdir(directory, { recursive: true })
  await writeFile(script, wrkScript)
  return {
    name: 'wrk',
    async run(url, connections, seconds) {
      const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, `${url}/orders`]
      const { stdout } = await promisify(execFile)('wrk', args)
      return JSON.parse(stdout.slice(stdout.lastIndexOf('{'))) as LoadResult
    },
    stop: () => rm(script, { force: true })
  }
}

const bodies = Array.from({ length: 1_000 }, (_, index) => `'${makeBody(index)}'`)

const wrkScript = `local bodies = { ${bodies.join(',\n')} }
local next = 0
wrk.method = 'POST'
wrk.headers['content-type'] = 'application/json'
request = function()
  next = next % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[next])
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"errors":%d,"p50Ms":%f,"p99Ms":%f}', summary.requests,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
`
