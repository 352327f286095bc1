import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Report } from '../report/report.ts'

export interface SeedOptions {
  readonly seed: number
  readonly brokers: number
  readonly hasConnect: boolean
  readonly durationMs: number
  readonly requestsPerSecond: number
  /** Number of instances by service. */
  readonly instances: Readonly<Record<string, number>>
  /** Numbers of the planned faults to inject; all by default. */
  readonly faults?: readonly number[]
  readonly signal: AbortSignal
}

export interface SeedResult {
  readonly code: number
  /** Absent if the run could not be completed. */
  readonly report?: Report
  /** The last lines that the run wrote to standard error. */
  readonly lastLines: string
}

/**
 * Runs one seed in another process, so that a crash of the verifier does not end the campaign.
 * @throws the reason of the signal
 */
export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const { seed, brokers, hasConnect, durationMs, requestsPerSecond, instances, faults, signal } = options
  const args = [
    ...['--json', '--seed', String(seed), '--brokers', String(brokers)],
    ...['--duration', `${Math.round(durationMs / 1_000)}s`, '--rate', String(requestsPerSecond)],
    ...[
      '--instances',
      Object.entries(instances)
        .map(pair => pair.join('='))
        .join()
    ],
    ...(hasConnect ? ['--with', 'connect'] : []),
    ...(faults === undefined ? [] : ['--faults', faults.join(',') || 'none'])
  ]
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C reaches the campaign, which stops the run.
    detached: true
  })
  const stop = () => void child.kill('SIGINT')
  signal.addEventListener('abort', stop, { once: true })
  let [output, progress] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    progress = (progress + text).slice(-4_000)
  })
  const [code] = await once(child, 'close')
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  const lastLines = progress.trimEnd().split('\n').slice(-12).join('\n')
  return { code: code ?? 2, lastLines, ...(code !== 2 && code !== null && { report: JSON.parse(output) as Report }) }
}
