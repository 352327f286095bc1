/**
 * The counted records of a partition: all before `next` except those in the gaps.
 *
 * A gap contains offsets without a countable record, such as transaction markers and dead letters.
 * If a batch is read again after the code was fixed, it can contain a record there, which is then
 * counted.
 */
export interface CountedOffsets {
  readonly next: number
  /** Gaps in ascending order; `to` is exclusive. */
  readonly gaps: readonly Gap[]
}

export type Gap = readonly [from: number, to: number]

export const nothingCounted: CountedOffsets = { next: 0, gaps: [] }

/**
 * Number of offsets before `next` for which gaps are kept. Far more than a stage reads before it
 * commits, so older gaps are not read again.
 */
const rememberedOffsets = 50_000

export function isCounted({ next, gaps }: CountedOffsets, offset: number): boolean {
  return offset < next && !gaps.some(([from, to]) => from <= offset && offset < to)
}

/** Adds an offset. @param offset must not be counted yet */
export function addOffset({ next, gaps }: CountedOffsets, offset: number): CountedOffsets {
  if (offset === next) return { next: next + 1, gaps }
  if (offset > next) return { next: offset + 1, gaps: [...gaps, [next, offset]] }
  return { next, gaps: gaps.flatMap(gap => withoutOffset(gap, offset)) }
}

export function forgetOldGaps({ next, gaps }: CountedOffsets): CountedOffsets {
  const oldest = next - rememberedOffsets
  const kept = gaps.filter(([, to]) => to > oldest).map(([from, to]): Gap => [Math.max(from, oldest), to])
  return { next, gaps: kept }
}

function withoutOffset([from, to]: Gap, offset: number): Gap[] {
  if (offset < from || offset >= to) return [[from, to]]
  const parts: Gap[] = [
    [from, offset],
    [offset + 1, to]
  ]
  return parts.filter(([from, to]) => from < to)
}
