export { stringCodec as textCodec } from '../codecs/plain-codecs.ts'
