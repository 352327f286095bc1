import type { components } from './generated/order-api.ts'

type Schemas = components['schemas']

export type PlaceOrder = Schemas['PlaceOrder']
export type BatchOrder = Schemas['BatchOrder']
export type BatchResult = Schemas['BatchResult']
export type Order = Schemas['Order']
export type OrderPage = Schemas['OrderPage']
export type OrderAccepted = Schemas['OrderAccepted']
export type ChangeAccepted = Schemas['ChangeAccepted']
export type StatusNotice = Schemas['StatusNotice']
export type Problem = Schemas['Problem']
