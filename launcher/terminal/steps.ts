import { Listr, PRESET_TIMER } from 'listr2'

/**
 * A task that takes a while. `run` may report its progress and returns a detail to show when it is
 * done.
 */
export interface Step {
  readonly title: string
  run(say: (text: string) => void): Promise<string | undefined>
}

export type ShowSteps = (steps: readonly Step[]) => Promise<void>

/**
 * Runs all steps concurrently and rejects with the first error. Steps that depend on others wait
 * for them themselves. Shows a live list on a terminal, plain lines otherwise. Writes to standard
 * error, because standard output is for results.
 */
export const showSteps: ShowSteps = steps =>
  process.stderr.isTTY && process.stdout.isTTY ? showList(steps) : showLines(steps)

export async function showLines(steps: readonly Step[]): Promise<void> {
  const startedAt = performance.now()
  const line = (text: string) => process.stderr.write(`${text}\n`)
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
  await Promise.all(
    steps.map(async step => {
      const detail = await step.run(text => line(`${step.title}: ${text}`))
      line(`${step.title}: ready after ${seconds()}${detail === undefined ? '' : `, ${detail}`}`)
    })
  )
}

async function showList(steps: readonly Step[]): Promise<void> {
  const tasks = steps.map(step => ({
    title: step.title,
    task: async (_context: unknown, task: { title: string; output: string }) => {
      const detail = await step.run(text => {
        task.output = text
      })
      if (detail !== undefined) task.title = `${step.title}  ${detail}`
    }
  }))
  await new Listr(tasks, {
    concurrent: true,
    registerSignalListeners: false,
    rendererOptions: { timer: PRESET_TIMER }
  }).run()
}
