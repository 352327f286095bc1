import type { OutputRecord } from '../records.ts'
import type { StageTick, TickContext } from './stage.ts'

/**
 * Tracks when a stage's tick is due and runs it, reporting failures instead of throwing. Missed
 * ticks are not repeated.
 */
export class Ticker {
  readonly #tick: StageTick
  readonly #timer: NodeJS.Timeout
  #isDue = false

  constructor(tick: StageTick, onDue: () => void) {
    this.#tick = tick
    this.#timer = setInterval(() => {
      this.#isDue = true
      onDue()
    }, tick.everyMs)
  }

  get tracksCompleteness(): boolean {
    return this.#tick.tracksCompleteness === true
  }

  get isDue(): boolean {
    return this.#isDue
  }

  /** Runs the tick. Returns no outputs if it failed. */
  async run(context: TickContext, onFailure: (error: unknown) => void): Promise<readonly OutputRecord[]> {
    this.#isDue = false
    try {
      return await this.#tick.run(context)
    } catch (error) {
      onFailure(error)
      return []
    }
  }

  async committed(onFailure: (error: unknown) => void): Promise<void> {
    try {
      await this.#tick.committed?.()
    } catch (error) {
      onFailure(error)
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
