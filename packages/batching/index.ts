export { type GroupOptions, inGroups } from './in-groups.ts'
