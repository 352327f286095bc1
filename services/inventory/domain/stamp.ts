/** The time and the numbers of decisions. */
export interface Stamp {
  readonly atMs: number
  /**
   * Returns the number of the next decision. Numbers rise with the decisions on each SKU, across batches and instances: a
   * store draws them while it holds the rows of the stock.
   */
  nextSequence(): number
}
