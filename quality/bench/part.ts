import type { Arguments } from './arguments.ts'
import type { Peers } from './peers/toolchains.ts'
import type { PartReport } from './report/part-report.ts'
import type { BenchServers } from './servers.ts'

export interface PartContext {
  readonly arguments: Arguments
  readonly servers: BenchServers
  readonly peers: Peers
  /** Directory of the reports of this run and of the files that they link to. */
  readonly results: string
  /** Writes progress to standard error. */
  readonly say: (text: string) => void
}

export type Part = (context: PartContext) => Promise<PartReport>
