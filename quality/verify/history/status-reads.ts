/** The status of orders as clients saw it during a run. */

/** A request for the status of one order. */
export interface StatusRead {
  readonly orderID: string
  readonly sentAtMs: number
  readonly endedAtMs: number
  readonly result:
    | { readonly kind: 'found'; readonly status: string }
    /** Answered 404. */
    | { readonly kind: 'missing' }
    | { readonly kind: 'unknown'; readonly reason: string }
}

/** A page of a list: the orders of one answer, in the order of the answer. */
export interface ListPage {
  readonly sentAtMs: number
  readonly endedAtMs: number
  readonly orders: readonly { readonly orderID: string; readonly status: string }[]
}

/** A list of the orders of a user, read page by page from its newest order. */
export interface ListRead {
  readonly userID: string
  readonly pages: readonly ListPage[]
  /** True if the last page had no cursor. */
  readonly isComplete: boolean
  /** Reason why the list was not read to its end. */
  readonly failure?: string
  /** True for a list that was read after everything was processed. */
  readonly isFinal?: boolean
}

/** The status stream of an order over all its connections. Each one resumes after the last event. */
export interface StreamRead {
  readonly orderID: string
  readonly until: 'settled' | 'final'
  readonly events: readonly StreamEvent[]
  /** Number of connections that were answered 200. */
  readonly connections: number
  /** Time of the answer 204: the service has no further event. */
  readonly overAtMs?: number
  /** Reasons why connections failed. */
  readonly failures: readonly string[]
}

export interface StreamEvent {
  readonly id: string
  readonly status: string
  readonly atMs: number
}

export interface StatusReads {
  readonly reads: readonly StatusRead[]
  readonly lists: readonly ListRead[]
  readonly streams: readonly StreamRead[]
}
