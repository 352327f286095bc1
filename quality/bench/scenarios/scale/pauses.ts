import { setTimeout as delay } from 'node:timers/promises'
import { median } from '../../measure/statistics.ts'
import type { LagProbe } from '../../pipeline.ts'
import { figure, figureTable } from '../../report/scenario-report.ts'
import type { ScenarioContext } from '../../scenario.ts'
import type { RunningService } from '../../services.ts'
import { fillOrders, withInventories } from './inventories.ts'

export interface Pause {
  readonly what: string
  readonly longestMs: number
  readonly usualMs: number
}

/** Time to observe after a crash, longer than the session timeout of the group. */
const deadMs = 14_000

export function measurePauses(context: ScenarioContext): Promise<Pause[]> {
  const { quick } = context.arguments
  const orders = quick ? 20_000 : 200_000
  const watchMs = quick ? 1_000 : 4_000
  return withInventories(context, { waiting: orders }, async ({ probe, services, startOne }) => {
    const pauses: Pause[] = []
    const during = async (what: string, change: () => Promise<unknown>, ms: number) => {
      const gaps = watchGaps(probe)
      await change()
      await delay(ms)
      pauses.push({ what, ...(await gaps.stop()) })
    }
    const newest = () => services.at(-1) as RunningService
    let isOver = false
    const filling = keepFilling(context, probe, () => isOver)
    try {
      await during('nothing happens', async () => {}, watchMs)
      await during('a second instance starts', startOne, watchMs)
      if (!quick) {
        await during('the second instance stops', () => newest().stop(), watchMs)
        await startOne()
        await delay(watchMs)
      }
      await during('one instance is killed', async () => newest().child.signal('SIGKILL'), deadMs)
      return pauses
    } finally {
      isOver = true
      await filling
    }
  })
}

/** Keeps a backlog while pauses are measured, because gaps in the supply would look like pauses. */
async function keepFilling(context: ScenarioContext, probe: LagProbe, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const { done, written } = await probe.progress()
    if (written - done < 50_000) await fillOrders(context, 20_000, written)
    else await delay(200)
  }
}

/** Observes the gaps between the commits of each partition. */
function watchGaps(probe: LagProbe) {
  const movedAtMs: number[] = []
  const gapsMs: number[] = []
  let before: readonly number[] = []
  let isOver = false
  const note = (byPartition: readonly number[]) => {
    const nowMs = performance.now()
    for (const [partition, offset] of byPartition.entries()) {
      movedAtMs[partition] ??= nowMs
      if (offset === before[partition]) continue
      gapsMs.push(nowMs - movedAtMs[partition])
      movedAtMs[partition] = nowMs
    }
    before = byPartition
  }
  const watching = (async () => {
    while (!isOver) {
      note((await probe.progress()).byPartition)
      await delay(10)
    }
  })()
  return {
    async stop() {
      isOver = true
      await watching
      // A partition without a further commit has paused at least until now.
      const open = movedAtMs.map(atMs => performance.now() - atMs)
      return { longestMs: Math.max(0, ...gapsMs, ...open), usualMs: median(gapsMs.filter(gap => gap > 0)) }
    }
  }
}

export function describePauses(pauses: readonly Pause[]): string {
  return figureTable(
    ['', 'longest pause ms', 'usual gap ms'],
    pauses.map(({ what, longestMs, usualMs }) => [what, figure(longestMs), figure(usualMs)])
  )
}
