import { readFile } from 'node:fs/promises'
import { figure, markdownTable, type Target } from '../report/part-report.ts'
import { readMetrics } from './service-metrics.ts'

/** What a service and the kernel say of its memory, in MB. */
export interface Memory {
  readonly resident: number
  /** Of V8's heap: what it has from the system, and what of it is in use, garbage that was not collected yet included. */
  readonly heap: number
  readonly heapUsed: number
  /** Buffers: what came from sockets and what is to be written. */
  readonly outsideHeap: number
  /** Pages of files, which is Node's own program: all processes of Node have the same ones. NaN where there is no /proc (macOS). */
  readonly program: number
}

interface Measurable {
  /** Of a service, which has `/metrics`. */
  readonly url: string
  readonly child: { readonly pid: number }
}

export async function readMemory({ url, child }: Measurable): Promise<Memory> {
  const [metrics, status] = await Promise.all([
    readMetrics(url),
    readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
  ])
  const megabytes = (name: string) => metrics(name) / 2 ** 20
  return {
    resident: megabytes('process_resident_memory_bytes'),
    heap: megabytes('nodejs_heap_size_total_bytes'),
    heapUsed: megabytes('nodejs_heap_size_used_bytes'),
    outsideHeap: megabytes('nodejs_external_memory_bytes'),
    program: parseFilePages(status) / 1024
  }
}

/** RssFile of proc(5) status, in kB. */
export function parseFilePages(status: string): number {
  return Number(/^RssFile:\s+(\d+) kB/m.exec(status)?.[1])
}

const allElse = ({ resident, heap, outsideHeap, program }: Memory) => resident - heap - outsideHeap - (program || 0)

/** @param rows by what they are called */
export function describeMemory(rows: Readonly<Record<string, Memory>>): string {
  const cells = Object.entries(rows).map(([name, memory]) => [
    name,
    ...[memory.resident, memory.program, memory.heap, memory.heapUsed, memory.outsideHeap, allElse(memory)].map(figure)
  ])
  return (
    markdownTable(['MB', 'resident', "Node's program", "V8's heap", 'in use of it', 'buffers', 'all else'], cells) +
    "\n\n*Node's program* is in memory once for all processes of Node. *All else*: compiled code, stacks, what the allocator keeps; of `order` also the heap of the projection's thread."
  )
}

/** @param memory of the same service at about that time */
export function memoryTarget(what: string, mostMB: number, memory: Memory): Target {
  const { heap, heapUsed, outsideHeap, program } = memory
  const why =
    `V8's heap is ${figure(heap)} MB of it, which V8 lets grow before it collects what is garbage (${figure(heapUsed)} MB were in use), Node's program ${figure(program)} MB, buffers ` +
    `${figure(outsideHeap)} MB, and ${figure(allElse(memory))} MB are all else. A service that has done nothing yet has more than 130 MB: Node, its libraries and our code.`
  return { what, wanted: 150, direction: 'at most', measured: mostMB, unit: 'MB', why }
}
