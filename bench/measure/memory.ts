import { readFile } from 'node:fs/promises'
import { figure, markdownTable, type Target } from '../report/part-report.ts'
import { readMetrics } from './service-metrics.ts'

/** What a service and the kernel say of its memory, in MB. */
export interface Memory {
  readonly resident: number
  /** Objects on V8's heap, garbage that was not collected yet included. */
  readonly objects: number
  /** What V8's heap has room for besides. */
  readonly room: number
  /** Buffers: what came from sockets and what is to be written. */
  readonly buffers: number
  /** Pages of files, which is Node's own program: all processes of Node have the same ones. NaN where there is no /proc (macOS). */
  readonly program: number
}

interface Measurable {
  /** Of a service, which has `/metrics`. */
  readonly url: string
  readonly child: { readonly pid: number }
}

export async function readMemory({ url, child }: Measurable): Promise<Memory> {
  const [metrics, status] = await Promise.all([readMetrics(url), statusOf(child.pid)])
  const megabytes = (name: string) => metrics(name) / 2 ** 20
  return {
    resident: megabytes('process_resident_memory_bytes'),
    objects: megabytes('nodejs_heap_size_used_bytes'),
    room: megabytes('nodejs_heap_size_total_bytes') - megabytes('nodejs_heap_size_used_bytes'),
    buffers: megabytes('nodejs_external_memory_bytes'),
    program: kilobytesIn(status, 'RssFile') / 1024
  }
}

/** @returns undefined where there is no /proc (macOS), or no such process */
export async function residentMBOf(pid: number): Promise<number | undefined> {
  const kilobytes = kilobytesIn(await statusOf(pid), 'VmRSS')
  return Number.isNaN(kilobytes) ? undefined : kilobytes / 1024
}

function statusOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
}

/** A field of proc(5) status; NaN when it is not there. */
export function kilobytesIn(status: string, field: 'VmRSS' | 'RssFile'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1])
}

const allElse = ({ resident, objects, room, buffers, program }: Memory) =>
  resident - objects - room - buffers - (program || 0)

/** @param rows by what they are called */
export function describeMemory(rows: Readonly<Record<string, Memory>>): string {
  const cells = Object.entries(rows).map(([name, memory]) => [
    name,
    ...[memory.resident, memory.program, memory.objects, memory.room, memory.buffers, allElse(memory)].map(figure)
  ])
  return (
    markdownTable(['MB', 'resident', "Node's program", 'objects', 'room for more', 'buffers', 'all else'], cells) +
    "\n\n*Node's program* is in memory once for all processes of Node. *Objects*: garbage that is not collected yet included. *All else*: compiled code, stacks, what the allocator keeps; of `order` also all of the projection's thread, with a heap of its own."
  )
}

/** @param memory of the same service at about that time */
export function memoryTarget(what: string, mostMB: number, memory: Memory): Target {
  const { program, objects, room, buffers } = memory
  const why =
    `${figure(program)} MB of it are Node's program, which all services have in common, ${figure(objects)} MB objects, ${figure(room)} MB what V8's heap has room for besides, ` +
    `${figure(buffers)} MB buffers, and ${figure(allElse(memory))} MB all else. By whose code the objects are that stay is told under *What stays in memory*; ` +
    'the others, and the room for them, are the less the more often V8 collects them ([at what cost](../../docs/decisions/0042-how-far-the-heap-grows-is-said.md)).'
  return { what, wanted: 150, direction: 'at most', measured: mostMB, unit: 'MB', why }
}
