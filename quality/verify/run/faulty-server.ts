import type { RunDirectories, Supervisor } from '@orderly/launcher'

/** A server into which faults can be injected. */
export interface FaultyServer {
  readonly name: string
  kill(): Promise<void>
  /** Stops it gracefully; resolves when it has exited. */
  stop(): Promise<void>
  /** Starts it if necessary; resolves when it is available. */
  restart(): Promise<void>
  freeze(durationMs: number): Promise<void>
  resume(): Promise<void>
}

export interface ServersOptions {
  readonly supervisor: Supervisor
  readonly directories: RunDirectories
  readonly brokers: number
  readonly hasConnect?: boolean
}
