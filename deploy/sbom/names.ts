/** Files of this folder that `deploy/generate.ts` writes, one per kind of image. */
export const sbomNames = ['service.cdx.json', 'connect.cdx.json', 'kafka.cdx.json'] as const
