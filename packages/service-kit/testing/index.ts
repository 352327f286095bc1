export { type RecordedSpans, recordSpans } from './recorded-spans.ts'
export { createTestHttp, type TestHttp } from './test-http.ts'
