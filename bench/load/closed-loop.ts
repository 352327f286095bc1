import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { orderlyDirectory } from '@orderly/stack'
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
  const worker = startOurs('closed-loop-worker')
  return {
    name: 'undici',
    run: (url, connections, seconds) => worker.ask<LoadResult>({ url, connections, seconds }),
    stop: () => worker.stop()
  }
}

/** @throws Error when there is no wrk */
async function startWrk(): Promise<ClosedLoop> {
  await promisify(execFile)('wrk', ['--version']).catch(error => {
    if (error.code === 'ENOENT')
      throw new Error('wrk is not on PATH: on Debian `apt-get install wrk`, or leave --tool out')
  })
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
