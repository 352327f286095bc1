import type { SupervisedProcess } from '../processes/supervisor.ts'

/** A server or service that runs: one process, or one for each broker. */
export interface RunningPart {
  readonly name: string
  /** What a person or a client connects to. */
  readonly address: string
  readonly processes: readonly SupervisedProcess[]
  /** How long it took from its start until it answered. */
  readonly startMs: number
  isHealthy(): Promise<boolean>
  stop(): Promise<void>
}
