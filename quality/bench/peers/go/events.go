package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

type item struct {
	SKU      string `avro:"sku" json:"sku"`
	Quantity int32  `avro:"quantity" json:"quantity"`
}

type orderCreated struct {
	OrderID     string `avro:"orderID"`
	UserID      string `avro:"userID"`
	Items       []item `avro:"items"`
	TotalMinor  int64  `avro:"totalMinor"`
	CreatedAtMs int64  `avro:"createdAtMs"`
}

type inventoryReserved struct {
	OrderID     string `avro:"orderID"`
	UserID      string `avro:"userID"`
	Items       []item `avro:"items"`
	DecidedAtMs int64  `avro:"decidedAtMs"`
}

type shortage struct {
	SKU       string `avro:"sku" json:"sku"`
	Requested int64  `avro:"requested" json:"requested"`
	Available int64  `avro:"available" json:"available"`
}

type inventoryFailed struct {
	OrderID     string     `avro:"orderID"`
	UserID      string     `avro:"userID"`
	Reason      string     `avro:"reason"`
	Shortages   []shortage `avro:"shortages"`
	DecidedAtMs int64      `avro:"decidedAtMs"`
}

const lines = `{"type":"array","items":{"type":"record","name":"%s","fields":[
  {"name":"sku","type":"string"},{"name":"quantity","type":"int"}]}}`

var (
	orderCreatedSchema = avro.MustParse(`{"type":"record","name":"OrderCreated","fields":[
  {"name":"orderID","type":"string"},{"name":"userID","type":"string"},{"name":"items","type":` + fmt.Sprintf(lines, "OrderItem") + `},
  {"name":"totalMinor","type":"long"},{"name":"createdAtMs","type":"long"}]}`)
	inventoryReservedSchema = avro.MustParse(`{"type":"record","name":"InventoryReserved","fields":[
  {"name":"orderID","type":"string"},{"name":"userID","type":"string"},{"name":"items","type":` + fmt.Sprintf(lines, "ReservedItem") + `},
  {"name":"decidedAtMs","type":"long"}]}`)
	inventoryFailedSchema = avro.MustParse(`{"type":"record","name":"InventoryFailed","fields":[
  {"name":"orderID","type":"string"},{"name":"userID","type":"string"},{"name":"reason","type":"string"},
  {"name":"shortages","type":{"type":"array","items":{"type":"record","name":"Shortage","fields":[
    {"name":"sku","type":"string"},{"name":"requested","type":"long"},{"name":"available","type":"long"}]}}},
  {"name":"decidedAtMs","type":"long"}]}`)
)

const wireHeaderBytes = 5

// Arrays are written without block sizes, as the other contestants do.
var codec = avro.Config{DisableBlockSizeHeader: true}.Freeze()

func decodeOrder(value []byte, into *orderCreated) error {
	if len(value) < wireHeaderBytes || value[0] != 0 {
		return errors.New("not in wire format")
	}
	return codec.Unmarshal(orderCreatedSchema, value[wireHeaderBytes:], into)
}

func encode(schema avro.Schema, schemaID int32, event any) ([]byte, error) {
	body, err := codec.Marshal(schema, event)
	if err != nil {
		return nil, err
	}
	value := make([]byte, wireHeaderBytes+len(body))
	binary.BigEndian.PutUint32(value[1:], uint32(schemaID))
	copy(value[wireHeaderBytes:], body)
	return value, nil
}

var contentType = []byte("application/vnd.confluent.avro")

// Schema fingerprints of version 1 of each event.
var fingerprints = map[string][]byte{
	"OrderCreated":      []byte("428d13efdbeddef2"),
	"InventoryReserved": []byte("8666b121d0c4bfb6"),
	"InventoryFailed":   []byte("f01a7adbdb1a8d6e"),
}

func eventHeaders(eventType, orderID, traceparent string) []kgo.RecordHeader {
	return []kgo.RecordHeader{
		{Key: "schema-fingerprint", Value: fingerprints[eventType]},
		{Key: "event-id", Value: []byte(eventType + "-" + orderID)},
		{Key: "content-type", Value: contentType},
		{Key: "traceparent", Value: []byte(traceparent)},
	}
}

func traceparentOf(record *kgo.Record) string {
	for _, header := range record.Headers {
		if header.Key == "traceparent" {
			return string(header.Value)
		}
	}
	return ""
}

func childTraceparent(parent string) string {
	if len(parent) != 55 {
		return newTraceparent()
	}
	return parent[:36] + fmt.Sprintf("%016x", rand.Uint64()) + parent[52:]
}

func newTraceparent() string {
	return fmt.Sprintf("00-%016x%016x-%016x-01", rand.Uint64(), rand.Uint64(), rand.Uint64())
}
