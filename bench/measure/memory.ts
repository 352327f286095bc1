import { figure, markdownTable, type Target } from '../report/part-report.ts'
import type { ServiceMetrics } from './service-metrics.ts'

/** What a service says of its memory, in MB. */
export interface Memory {
  readonly resident: number
  /** Of V8's heap: what it has from the system, and what of it is in use, garbage that was not collected yet included. */
  readonly heap: number
  readonly heapUsed: number
  /** Buffers: what came from sockets and what is to be written. */
  readonly outsideHeap: number
}

export function memoryOf(metrics: ServiceMetrics): Memory {
  const megabytes = (name: string) => metrics(name) / 2 ** 20
  return {
    resident: megabytes('process_resident_memory_bytes'),
    heap: megabytes('nodejs_heap_size_total_bytes'),
    heapUsed: megabytes('nodejs_heap_size_used_bytes'),
    outsideHeap: megabytes('nodejs_external_memory_bytes')
  }
}

/** @param rows by what they are called */
export function describeMemory(rows: Readonly<Record<string, Memory>>): string {
  const cells = Object.entries(rows).map(([name, { resident, heap, heapUsed, outsideHeap }]) => [
    name,
    ...[resident, heap, heapUsed, outsideHeap, resident - heap - outsideHeap].map(figure)
  ])
  return (
    markdownTable(['MB', 'resident', "V8's heap", 'in use of it', 'buffers', 'all else'], cells) +
    "\n\n*All else*: compiled code, stacks, libraries, what the allocator keeps; of `order` also the heap of the projection's thread."
  )
}

/** @param memory of the same service at about that time */
export function memoryTarget(what: string, mostMB: number, { resident, heap, heapUsed, outsideHeap }: Memory): Target {
  const why =
    `V8's heap is ${figure(heap)} MB of it, which V8 lets grow before it collects what is garbage (${figure(heapUsed)} MB were in use), buffers ${figure(outsideHeap)} MB, and ` +
    `${figure(resident - heap - outsideHeap)} MB are all else. A service that has done nothing yet has more than 130 MB: Node, its libraries and our code.`
  return { what, wanted: 150, direction: 'at most', measured: mostMB, unit: 'MB', why }
}
