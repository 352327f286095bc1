import type { RunDirectories, Supervisor } from '@orderly/stack'

/** A server that faults can be done to. */
export interface FaultyServer {
  readonly name: string
  kill(): Promise<void>
  /** Asks it to end, and waits. */
  stop(): Promise<void>
  /** Starts it again; resolves when it answers. */
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
