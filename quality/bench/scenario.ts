import type { Arguments } from './arguments.ts'
import type { Peers } from './peers/toolchains.ts'
import type { ScenarioReport } from './report/scenario-report.ts'
import type { BenchServers } from './servers.ts'

export interface ScenarioContext {
  readonly arguments: Arguments
  readonly servers: BenchServers
  readonly peers: Peers
  /** Directory of the reports of this run and of the files that they link to. */
  readonly results: string
  /** Writes progress to standard error. */
  readonly say: (text: string) => void
}

export type Scenario = (context: ScenarioContext) => Promise<ScenarioReport>
