import type { SupervisedProcess } from '../processes/supervisor.ts'

/** A running server or service: one process, or one per broker. */
export interface RunningComponent {
  readonly name: string
  /** Address for users and clients. */
  readonly address: string
  readonly processes: readonly SupervisedProcess[]
  /** Time from its start until it was ready. */
  readonly startMs: number
  isHealthy(): Promise<boolean>
  stop(): Promise<void>
}
