package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type placeOrder struct {
	UserID string  `json:"userID"`
	Items  []item  `json:"items"`
	Total  float64 `json:"total"`
}

// runOrder serves POST /orders with net/http and franz-go, with the checks, acks=all and answers of
// our service.
func runOrder(given task) (answer, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(given.Brokers),
		kgo.DefaultProduceTopic(given.Topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	)
	if err != nil {
		return answer{}, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return answer{}, err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /orders", func(response http.ResponseWriter, request *http.Request) {
		order, err := readOrder(http.MaxBytesReader(response, request.Body, 128*1024))
		if err != nil {
			http.Error(response, `{"status":400}`, http.StatusBadRequest)
			return
		}
		value, err := encode(orderCreatedSchema, given.OrderSchemaID, order)
		if err != nil {
			http.Error(response, `{"status":500}`, http.StatusInternalServerError)
			return
		}
		traceparent := childTraceparent(request.Header.Get("traceparent"))
		record := &kgo.Record{
			Key:     []byte(order.UserID),
			Value:   value,
			Headers: eventHeaders("OrderCreated", order.OrderID, traceparent),
		}
		if err := client.ProduceSync(request.Context(), record).FirstErr(); err != nil {
			http.Error(response, `{"status":503}`, http.StatusServiceUnavailable)
			return
		}
		self := "/orders/" + order.OrderID
		header := response.Header()
		header.Set("content-type", "application/json; charset=utf-8")
		header.Set("location", self)
		header.Set("traceparent", traceparent)
		response.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(response, `{"orderID":"%s","status":"accepted","links":{"self":"%s","events":"%s/events"}}`, order.OrderID, self, self)
	})
	go func() { fail(http.Serve(listener, routes)) }()
	return answer{Port: listener.Addr().(*net.TCPAddr).Port}, nil
}

// readOrder parses an order and rejects what our service rejects.
func readOrder(body io.Reader) (*orderCreated, error) {
	var given placeOrder
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&given); err != nil {
		return nil, err
	}
	if length := len(given.UserID); length < 1 || length > 128 {
		return nil, errors.New("userID")
	}
	if length := len(given.Items); length < 1 || length > 100 {
		return nil, errors.New("items")
	}
	for _, line := range given.Items {
		if len(line.SKU) < 1 || len(line.SKU) > 64 || line.Quantity < 1 || line.Quantity > 1_000_000 {
			return nil, errors.New("invalid order line")
		}
	}
	minor := math.Round(given.Total * 100)
	if given.Total < 0 || given.Total > 1e9 || math.Abs(minor-given.Total*100) > 1e-6 {
		return nil, errors.New("total")
	}
	nowMs := time.Now().UnixMilli()
	return &orderCreated{newOrderID(nowMs), given.UserID, given.Items, int64(minor), nowMs}, nil
}

// newOrderID returns a UUID of version 7.
func newOrderID(nowMs int64) string {
	low, high := rand.Uint64(), rand.Uint64()
	return fmt.Sprintf("%08x-%04x-7%03x-%04x-%012x",
		nowMs>>16, nowMs&0xffff, high&0xfff, low>>50|0x8000, low&0xffffffffffff)
}
