/** Node arguments of all our processes, as in the image (deploy/Dockerfile). */
export const nodeSettings = ['--max-semi-space-size=16', '--heap-growing-percent=150']
