import { topicNames } from '@orderly/contracts'
import { describeDemand, isSameDemand, sumBySKU } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

export const reservationsMatch: Guarantee = {
  number: 5,
  promise:
    'A reserved outcome exists if and only if the reservation does, with the same quantities, until it is released.',
  check({ outcomesByID, settlementsByID, ordersByID, linesByID, rowsByID }) {
    const findings: Finding[] = []
    const reserved = new Set<string>()
    for (const [orderID, outcomes] of outcomesByID) {
      for (const outcome of outcomes) {
        if (outcome.event?.items === undefined) continue
        reserved.add(orderID)
        const reported = sumBySKU(outcome.event.items)
        const held = linesByID.get(orderID) ?? new Map<string, number>()
        const isReleased = settlementsByID.get(orderID)?.some(({ topic }) => topic === topicNames.inventoryReleased)
        if (isReleased && held.size > 0) {
          findings.push({
            orderID,
            records: [outcome],
            summary: `released, but ${describeDemand(held)} is still reserved`
          })
        }
        const others = {
          ...(!isReleased && { held }),
          remembered: sumBySKU(rowsByID.get(orderID)?.items ?? []),
          ordered: sumBySKU(ordersByID.get(orderID)?.[0]?.event?.items ?? [])
        }
        for (const [what, demand] of Object.entries(others)) {
          if (isSameDemand(reported, demand)) continue
          const summary = `the outcome has ${describeDemand(reported)}, but ${what} is ${describeDemand(demand)}`
          findings.push({ orderID, records: [outcome], summary })
        }
      }
    }
    for (const [orderID, held] of linesByID) {
      if (reserved.has(orderID)) continue
      findings.push({ orderID, summary: `${describeDemand(held)} is reserved for an order without a reserved outcome` })
    }
    return findings
  }
}
