import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Task of a contestant; `task` in quality/bench/peers/go/main.go lists the fields. */
export type Task = Readonly<Record<string, unknown>>

export interface Work {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly commits?: number
}

export interface WorkerCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/**
 * A contestant in a separate process, which exits at the end of its input, so it cannot outlive
 * this process.
 */
export interface Worker {
  readonly pid: number
  /**
   * Runs a task; only one at a time.
   * @throws Error with the end of its standard error if it exits without an answer
   */
  ask<Answer = Work>(task: Task): Promise<Answer>
  stop(): Promise<void>
}

const errorBytes = 4_000

export function startWorker({ command, args, env }: WorkerCommand): Worker {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: env ?? process.env })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-errorBytes)
  })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = new Promise<void>(resolve => {
    child.once('close', () => resolve())
    child.once('error', error => {
      complaints += error.message
      resolve()
    })
  })
  child.stdin.on('error', () => {}) // the worker has exited, which the missing answer reports
  return {
    pid: child.pid ?? 0,
    async ask<Answer>(task: Task) {
      child.stdin.write(`${JSON.stringify(task)}\n`)
      const { value } = await answers.next()
      if (value !== undefined) return JSON.parse(value) as Answer
      await exited
      throw new Error(`${command} ${args.join(' ')} exited without an answer:\n${complaints}`)
    },
    async stop() {
      child.stdin.end()
      const deadline = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(deadline)
    }
  }
}
