import type { Arguments } from './arguments.ts'
import type { Peers } from './peers/toolchains.ts'
import type { PartReport } from './report/part-report.ts'
import type { BenchServers } from './servers.ts'

export interface PartContext {
  readonly arguments: Arguments
  readonly servers: BenchServers
  readonly peers: Peers
  /** Where reports of this run go, and what they lead to. */
  readonly results: string
  /** Progress, on standard error. */
  readonly say: (text: string) => void
}

export type Part = (context: PartContext) => Promise<PartReport>
