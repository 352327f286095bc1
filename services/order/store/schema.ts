import { fileURLToPath } from 'node:url'

/** For `migrate`. */
export const orderSchema = { schema: 'orders', directory: fileURLToPath(new URL('migrations', import.meta.url)) }

/** For `createPool`: a statement that was prepared on empty tables must not read them from end to end when they have grown. */
export const orderSessionSettings = { enable_seqscan: 'off' }
