import { readFile, rm } from 'node:fs/promises'
import { type SupervisedProcess, waitUntil } from '@orderly/stack'
import { figure, markdownTable, type Target } from '../report/part-report.ts'

/** What Node and the kernel say of a service's memory, in MB. */
export interface Memory {
  readonly resident: number
  /** Objects on V8's heap, garbage that was not collected yet included; this and the next two are those of the first thread. */
  readonly objects: number
  /** What V8's heap has in memory besides. */
  readonly room: number
  /** Buffers: what came from sockets and what is to be written. */
  readonly buffers: number
  /** All of the three in further threads. */
  readonly threads: number
  /** Pages of files that other processes have as well, which is Node's own program. NaN where there is no /proc (macOS), like the next one. */
  readonly program: number
  /** Pages of files that nobody else has. */
  readonly files: number
}

interface Measurable {
  readonly child: Pick<SupervisedProcess, 'pid' | 'signal'>
  readonly reportFile: string
}

/** What is used here of https://nodejs.org/docs/latest-v24.x/api/report.html */
interface Report {
  readonly javascriptHeap: {
    readonly usedMemory: number
    /** In memory, of what V8 has asked for. */
    readonly totalCommittedMemory: number
    readonly externalMemory: number
  }
  readonly resourceUsage: { readonly rss: string | number }
  readonly workers: readonly Report[]
}

export async function readMemory({ child, reportFile }: Measurable): Promise<Memory> {
  // Before the report is made: that takes memory, too.
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

/** @param rollup proc(5) smaps_rollup, or nothing */
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

/** @returns undefined where there is no /proc (macOS), or no such process */
export async function residentMBOf(pid: number): Promise<number | undefined> {
  const kilobytes = kilobytesIn(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''), 'VmRSS')
  return Number.isNaN(kilobytes) ? undefined : kilobytes / 1024
}

type PagesField = 'Rss' | 'Anonymous' | 'Shared_Clean' | 'Shared_Dirty'

/** A field of proc(5) status or smaps_rollup; NaN when it is not there. */
function kilobytesIn(text: string, field: PagesField | 'VmRSS'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1])
}

/** Anonymous memory (that of no file) which is neither a heap nor a buffer. */
const allElse = ({ resident, objects, room, buffers, threads, program, files }: Memory) =>
  resident - objects - room - buffers - threads - (program || 0) - (files || 0)

/** @param rows by what they are called */
export function describeMemory(rows: Readonly<Record<string, Memory>>): string {
  const cells = Object.entries(rows).map(([name, memory]) => {
    const { resident, program, files, objects, room, buffers, threads } = memory
    return [name, ...[resident, program, files, objects, room, buffers, threads, allElse(memory)].map(figure)]
  })
  const columns = ["Node's program", 'own files', 'objects', 'room for more', 'buffers', 'other threads', 'all else']
  return (
    `${markdownTable(['MB', 'resident', ...columns], cells)}\n\n` +
    "*Node's program*: pages of files that are in memory once for all processes of Node; *own files*: those that nobody else has. All others are anonymous memory. " +
    '*Objects*: garbage that is not collected yet included. *Other threads*: heap and buffers of the second thread, which is the projection of `order`. ' +
    '*All else*: data of the program that it has changed, stacks, the compiler, and what the allocator keeps of what was freed.'
  )
}

/**
 * @param memory of the same service at about that time
 * @param owners where it is told whose the objects are
 */
export function memoryTarget(
  what: string,
  mostMB: number,
  memory: Memory,
  owners = 'under *What stays in memory*'
): Target {
  const { resident, program, files, objects, room, buffers, threads } = memory
  const second = threads > 0 ? `${figure(threads)} MB heap and buffers of its second thread, ` : ''
  const why =
    `of ${figure(resident)} MB ${figure(program)} are Node's program, which all services have in common, ${figure(files)} MB pages of other files, ` +
    `${figure(objects)} MB objects, ${figure(room)} MB what V8's heap has room for besides, ${figure(buffers)} MB buffers, ${second}` +
    `and ${figure(allElse(memory))} MB other anonymous memory. By whose code the objects are that stay is told ${owners}; ` +
    // Not a link: reports are in directories of different depth.
    'the others, and the room for them, are the less the more often V8 collects them (at what cost: `docs/decisions/0042-set-the-heap-growing-factor-explicitly.md`).'
  return { what, wanted: 150, direction: 'at most', measured: mostMB, unit: 'MB', why }
}
