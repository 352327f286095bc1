/** Time and sequence numbers of the decisions in a batch. */
export interface Stamp {
  readonly atMs: number
  /**
   * Returns the sequence number of the next decision. The numbers of each SKU rise across batches
   * and instances, because the store draws them while it holds the locks on the SKU rows.
   */
  nextSequence(): number
}
