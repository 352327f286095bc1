export { createTestHttp, type TestHttp } from './test-http.ts'
