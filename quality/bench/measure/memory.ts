import { readFile, rm } from 'node:fs/promises'
import { type SupervisedProcess, waitUntil } from '@orderly/launcher'
import { figure, figureTable, type Target } from '../report/scenario-report.ts'

/** Memory of a service in MB, as reported by Node and the kernel. */
export interface Memory {
  readonly resident: number
  /** Objects on V8's heap of the main thread, including garbage that is not collected yet. */
  readonly objects: number
  /** Free space of the main thread's heap. */
  readonly room: number
  /** Buffers of the main thread: data read from and written to sockets. */
  readonly buffers: number
  /** Heaps and buffers of all other threads. */
  readonly threads: number
  /** File pages shared with other processes, mainly Node's program; NaN without /proc (macOS). */
  readonly program: number
  /** File pages of this process only; NaN without /proc (macOS). */
  readonly files: number
}

interface Measurable {
  readonly child: Pick<SupervisedProcess, 'pid' | 'signal'>
  readonly reportFile: string
}

/** The used part of Node's report: https://nodejs.org/docs/latest-v24.x/api/report.html */
interface Report {
  readonly javascriptHeap: {
    readonly usedMemory: number
    /** Allocated memory that is backed by physical pages. */
    readonly totalCommittedMemory: number
    readonly externalMemory: number
  }
  readonly resourceUsage: { readonly rss: string | number }
  readonly workers: readonly Report[]
}

export async function readMemory({ child, reportFile }: Measurable): Promise<Memory> {
  // Read first, because writing the report takes memory, too.
  const rollup = await readFile(`/proc/${child.pid}/smaps_rollup`, 'utf8').catch(() => '')
  await rm(reportFile, { force: true })
  child.signal('SIGUSR2')
  let report: Report | undefined
  const isWritten = async () => {
    report = JSON.parse(await readFile(reportFile, 'utf8'))
    return true
  }
  await waitUntil(isWritten, { what: `Node's report in ${reportFile}`, deadlineMs: 10_000 })
  return memoryOf(report as unknown as Report, rollup)
}

/** Combines Node's report with proc(5) smaps_rollup, which is empty on macOS. */
export function memoryOf({ javascriptHeap: heap, resourceUsage, workers }: Report, rollup: string): Memory {
  const pages = (field: PagesField) => kilobytesIn(rollup, field) / 1024
  const megabytes = (bytes: number) => bytes / 2 ** 20
  const threads = workers.map(({ javascriptHeap: { totalCommittedMemory, externalMemory } }) =>
    megabytes(totalCommittedMemory + externalMemory)
  )
  const shared = pages('Shared_Clean') + pages('Shared_Dirty')
  return {
    resident: rollup === '' ? megabytes(Number(resourceUsage.rss)) : pages('Rss'),
    objects: megabytes(heap.usedMemory),
    room: megabytes(heap.totalCommittedMemory - heap.usedMemory),
    buffers: megabytes(heap.externalMemory),
    threads: threads.reduce((sum, each) => sum + each, 0),
    program: shared,
    files: pages('Rss') - pages('Anonymous') - shared
  }
}

/**
 * Returns the resident memory of a process.
 * @returns undefined without /proc (macOS) or such a process
 */
export async function residentMBOf(pid: number): Promise<number | undefined> {
  const kilobytes = kilobytesIn(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''), 'VmRSS')
  return Number.isNaN(kilobytes) ? undefined : kilobytes / 1024
}

type PagesField = 'Rss' | 'Anonymous' | 'Shared_Clean' | 'Shared_Dirty'

/** Returns a field of proc(5) status or smaps_rollup, or NaN if it is missing. */
function kilobytesIn(text: string, field: PagesField | 'VmRSS'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1])
}

/** Returns the anonymous memory (not backed by a file) outside of heaps and buffers. */
const allElse = ({ resident, objects, room, buffers, threads, program, files }: Memory) =>
  resident - objects - room - buffers - threads - (program || 0) - (files || 0)

/** Formats memory as a Markdown table. @param rows memory by row title */
export function describeMemory(rows: Readonly<Record<string, Memory>>): string {
  const cells = Object.entries(rows).map(([name, memory]) => {
    const { resident, program, files, objects, room, buffers, threads } = memory
    return [name, ...[resident, program, files, objects, room, buffers, threads, allElse(memory)].map(figure)]
  })
  const columns = ["Node's program", 'own files', 'objects', 'room for more', 'buffers', 'other threads', 'all else']
  return (
    `${figureTable(['MB', 'resident', ...columns], cells)}\n\n` +
    "*Node's program*: file pages that all Node processes share; *own files*: file pages of this process only. All other columns are anonymous memory. " +
    '*Objects* include garbage that is not collected yet. *Other threads*: heap and buffers of the second thread, which runs the projection of `order`. ' +
    '*All else*: modified program data, stacks, the compiler, and freed memory that the allocator keeps.'
  )
}

/**
 * Returns the target for the memory of a service.
 * @param memory memory of the same service at about that time
 * @param owners reference to the attribution of remaining objects
 */
export function memoryTarget(
  what: string,
  mostMB: number,
  memory: Memory,
  owners = 'under *Remaining memory by package*'
): Target {
  const { resident, program, files, objects, room, buffers, threads } = memory
  const second = threads > 0 ? `${figure(threads)} MB heap and buffers of its second thread, ` : ''
  const why =
    `${figure(resident)} MB consist of ${figure(program)} MB of Node's program, which all services share, ${figure(files)} MB other file pages, ` +
    `${figure(objects)} MB objects, ${figure(room)} MB free heap space, ${figure(buffers)} MB buffers, ${second}` +
    `and ${figure(allElse(memory))} MB other anonymous memory. Remaining objects are attributed to packages ${owners}. ` +
    // Not a link: reports are in directories of different depth.
    'More frequent garbage collection would reduce the other objects and the free heap space, at the cost measured in `docs/decisions/0042-set-the-heap-growing-factor-explicitly.md`.'
  return { what, wanted: 150, direction: 'at most', measured: mostMB, unit: 'MB', why }
}
