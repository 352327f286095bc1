/** The files of this folder that `deploy/generate.ts` writes, one for each kind of image. */
export const sbomNames = ['service.cdx.json', 'connect.cdx.json', 'kafka.cdx.json'] as const
