import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inventoryReserved } from '@orderly/contracts/testing'
import fc from 'fast-check'
import { notificationFor } from './notification.ts'
import { targetsFor } from './recipients.ts'

test('a notification is sent to the targets of its caller and of the operator, and to no others', () => {
  const caller = fc.constantFrom(undefined, 'berlin', 'paris', 'rome')
  fc.assert(
    fc.property(fc.array(caller), caller, (owners, caller) => {
      const recipients = owners.map((caller, index) => ({ target: `target-${index}`, caller }))
      const expected = recipients.filter(each => each.caller === undefined || each.caller === caller)
      const targets = targetsFor(recipients)(notificationFor(inventoryReserved(), caller))
      assert.deepEqual(targets.toSorted(), expected.map(({ target }) => target).sort())
    })
  )
})
