/**
 * Which records of a partition have been counted: all before `next` except those in the gaps.
 *
 * A gap is where nothing was to be counted: a transaction marker, a record of somebody else, a dead letter. A batch that comes
 * again may have a record there after all, when the code that could not read it was mended in between; it is counted then.
 */
export interface CountedOffsets {
  readonly next: number
  /** Rising; `to` is the first offset behind. */
  readonly gaps: readonly Gap[]
}

export type Gap = readonly [from: number, to: number]

export const nothingCounted: CountedOffsets = { next: 0, gaps: [] }

/** Far more than can be read and not yet committed in Kafka, so no older gap is ever met again. */
const rememberedOffsets = 50_000

export function isCounted({ next, gaps }: CountedOffsets, offset: number): boolean {
  return offset < next && !gaps.some(([from, to]) => from <= offset && offset < to)
}

/** @param offset one that is not counted */
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
