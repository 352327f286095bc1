import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createRunDirectories, preflight, runCommand, UserError } from '@orderly/launcher'
import { type Arguments, spec, toArguments } from './arguments.ts'
import { recordsFile, runCampaign } from './campaign/campaign.ts'
import { describeCoverage } from './campaign/coverage.ts'
import { loadRecords } from './campaign/record.ts'
import { check } from './checker/check.ts'
import { crossCheck } from './collect/cross-check.ts'
import { loadHistory, saveHistory } from './history/save.ts'
import { runMutants } from './mutants/run-mutants.ts'
import { describeReport } from './report/describe.ts'
import { type Report, toReport } from './report/report.ts'
import { run } from './run/run.ts'
import { startServers, startSharedServers } from './run/servers.ts'

/** Exit code of a run without violations about which too little is known. */
const inconclusiveCode = 3
const startedAt = performance.now()
const note = (text: string) =>
  process.stderr.write(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${text}\n`)

await runCommand(spec, async ({ supervise, signal, ...parsed }) => {
  const given = toArguments(parsed)
  if (given.recheck !== undefined) {
    const history = await loadHistory(given.recheck)
    return tell(toReport(history, check(history)), given)
  }
  if (given.isCoverage) {
    process.stdout.write(`${describeCoverage(await loadRecords(recordsFile))}\n`)
    return 0
  }
  if (given.campaignMs !== undefined) {
    const { campaignMs, topology } = given
    const { isClean, page } = await runCampaign({ ...given, campaignMs, instances: topology.instances, signal, note })
    process.stdout.write(page)
    return isClean ? 0 : 1
  }
  const name = given.mutants === undefined ? `verify-${given.seed}` : 'verify-mutants'
  const directories = createRunDirectories(`${name}-${process.pid}`)
  const supervisor = supervise(directories.logs)
  let isGood = false
  try {
    const extras = new Set(given.topology.hasConnect ? (['connect'] as const) : [])
    await preflight({ directory: directories.run, externals: new Map(), ports: [], extras })
    note(`starting Kafka, Postgres and the schema registry; seed ${given.seed}`)
    const options = { supervisor, directories, ...given.topology }
    const shared = await startSharedServers(options)
    const context = { supervisor, directories, signal, note }
    if (given.mutants !== undefined) {
      const code = await runMutants(given, shared, options, context)
      isGood = code === 0
      return code
    }
    const servers = await startServers(shared, options)
    const history = await run(given, { ...context, servers })
    const file = await saveHistory(history, directories.run)
    note('checking')
    const verdicts = check(history)
    const report = toReport(history, verdicts, await crossCheck(history, servers))
    isGood = report.ok
    if (!isGood || given.keep) note(`history: ${file}, logs: ${directories.logs}`)
    return tell(report, given)
  } catch (error) {
    if (signal.aborted) throw error
    process.stderr.write(`${error instanceof UserError ? error.message : ((error as Error).stack ?? error)}\n`)
    process.stderr.write(`logs: ${directories.logs}\n`)
    return 2
  } finally {
    await supervisor.stop()
    const isDisposable = (isGood && !given.keep) || signal.aborted
    await rm(isDisposable ? directories.run : join(directories.data), { recursive: true, force: true })
  }
})

function tell(report: Report, { asJSON }: Arguments): number {
  process.stdout.write(`${asJSON ? JSON.stringify(report, undefined, 2) : `\n${describeReport(report)}`}\n`)
  if (report.ok) return 0
  return report.violations > 0 || report.crossCheck?.agrees === false ? 1 : inconclusiveCode
}
