package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

type decision struct {
	order     orderCreated
	shortages []shortage
}

// runInventory runs the whole reservation with franz-go and pgx. It uses the statements of our
// store (the task contains their text) in two round trips, with one Postgres transaction per poll,
// which commits before the Kafka transaction.
func runInventory(given task) (answer, error) {
	ctx := context.Background()
	settings, err := pgx.ParseConfig(given.DatabaseURL)
	if err != nil {
		return answer{}, err
	}
	settings.RuntimeParams["enable_seqscan"] = "off"
	database, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return answer{}, err
	}
	defer database.Close(ctx)
	for name, text := range given.SQL {
		if _, err := database.Prepare(ctx, name, text); err != nil {
			return answer{}, err
		}
	}
	session, err := newSession(given)
	if err != nil {
		return answer{}, err
	}
	defer session.Close()

	var watch stopwatch
	for done := 0; done < given.Records; {
		fetches := session.PollRecords(ctx, given.Batch)
		if err := fetches.Err(); err != nil {
			return answer{}, err
		}
		records := fetches.Records()
		if len(records) == 0 {
			continue
		}
		watch.startOnce()
		decidedAt := time.Now()
		decided, err := decideBatch(ctx, database, records, decidedAt)
		if err != nil {
			return answer{}, err
		}
		if err := session.Begin(); err != nil {
			return answer{}, err
		}
		promise := kgo.AbortingFirstErrPromise(session.Client())
		for index, record := range records {
			output, err := toRecord(given, decided[index], decidedAt, record)
			if err != nil {
				return answer{}, err
			}
			session.Produce(ctx, output, promise.Promise())
		}
		committed, err := session.End(ctx, kgo.TransactionEndTry(promise.Err() == nil))
		if err != nil {
			return answer{}, err
		}
		if !committed {
			return answer{}, errors.New("a transaction was aborted")
		}
		done += len(records)
	}
	return watch.stop(), nil
}

func decideBatch(ctx context.Context, database *pgx.Conn, records []*kgo.Record, decidedAt time.Time) ([]decision, error) {
	decided := make([]decision, len(records))
	orderIDs := make([]string, len(records))
	wanted := map[string]struct{}{}
	for index, record := range records {
		order := &decided[index].order
		if err := decodeOrder(record.Value, order); err != nil {
			return nil, err
		}
		orderIDs[index] = order.OrderID
		for _, line := range order.Items {
			wanted[line.SKU] = struct{}{}
		}
	}
	skus := make([]string, 0, len(wanted))
	for sku := range wanted {
		skus = append(skus, sku)
	}

	reads := &pgx.Batch{}
	reads.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	available := make(map[string]int64, len(skus))
	reads.Queue("lockStock", skus).Query(func(rows pgx.Rows) error {
		var sku string
		var pieces int64
		_, err := pgx.ForEachRow(rows, []any{&sku, &pieces}, func() error {
			available[sku] = pieces
			return nil
		})
		return err
	})
	reads.Queue("findOutcomes", orderIDs).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		// No order has an outcome yet in a benchmark; a complete implementation would publish it
		// again.
		if rows.Next() {
			return errors.New("an order has an outcome already")
		}
		return rows.Err()
	})
	var drawn string
	reads.Queue("drawSequences", len(records)).QueryRow(func(row pgx.Row) error { return row.Scan(&drawn) })
	if err := database.SendBatch(ctx, reads).Close(); err != nil {
		return nil, err
	}

	taken := map[string]int64{}
	for index := range decided {
		decide(&decided[index], available, taken)
	}
	writes := &pgx.Batch{}
	if err := queueOutcomes(writes, decided, strings.Split(drawn, ","), decidedAt); err != nil {
		return nil, err
	}
	if len(taken) > 0 {
		queueTaken(writes, taken)
		queueLines(writes, decided)
	}
	writes.Queue("COMMIT")
	return decided, database.SendBatch(ctx, writes).Close()
}

func decide(outcome *decision, available, taken map[string]int64) {
	for _, line := range outcome.order.Items {
		left := available[line.SKU] - taken[line.SKU]
		if int64(line.Quantity) > left {
			outcome.shortages = append(outcome.shortages, shortage{line.SKU, int64(line.Quantity), left})
		}
	}
	if outcome.shortages != nil {
		return
	}
	for _, line := range outcome.order.Items {
		taken[line.SKU] += int64(line.Quantity)
	}
}

func queueOutcomes(writes *pgx.Batch, decided []decision, drawn []string, decidedAt time.Time) error {
	size := len(decided)
	// No order has a caller here.
	callers, sequences := make([]*string, size), make([]int64, size)
	orderIDs, userIDs, kinds := make([]string, size), make([]string, size), make([]string, size)
	items, reasons, shortages := make([]*string, size), make([]*string, size), make([]*string, size)
	for index, outcome := range decided {
		orderIDs[index], userIDs[index] = outcome.order.OrderID, outcome.order.UserID
		sequence, err := strconv.ParseInt(drawn[index], 10, 64)
		if err != nil {
			return err
		}
		sequences[index] = sequence
		if outcome.shortages == nil {
			kinds[index] = "reserved"
			text, err := json.Marshal(outcome.order.Items)
			if err != nil {
				return err
			}
			whole := string(text)
			items[index] = &whole
			continue
		}
		reason := "OUT_OF_STOCK"
		kinds[index], reasons[index] = "failed", &reason
		text, err := json.Marshal(outcome.shortages)
		if err != nil {
			return err
		}
		whole := string(text)
		shortages[index] = &whole
	}
	writes.Queue("insertOutcomes", orderIDs, userIDs, kinds, items, reasons, shortages, callers, sequences, decidedAt)
	return nil
}

func queueTaken(writes *pgx.Batch, taken map[string]int64) {
	skus, quantities := make([]string, 0, len(taken)), make([]int64, 0, len(taken))
	for sku, quantity := range taken {
		skus, quantities = append(skus, sku), append(quantities, quantity)
	}
	writes.Queue("takeStock", skus, quantities)
}

func queueLines(writes *pgx.Batch, decided []decision) {
	var orderIDs, skus []string
	var quantities []int64
	for _, outcome := range decided {
		if outcome.shortages != nil {
			continue
		}
		for _, line := range outcome.order.Items {
			orderIDs, skus = append(orderIDs, outcome.order.OrderID), append(skus, line.SKU)
			quantities = append(quantities, int64(line.Quantity))
		}
	}
	writes.Queue("insertReservationLines", orderIDs, skus, quantities)
}

func toRecord(given task, outcome decision, decidedAt time.Time, record *kgo.Record) (*kgo.Record, error) {
	order := outcome.order
	traceparent := childTraceparent(traceparentOf(record))
	if outcome.shortages == nil {
		event := inventoryReserved{order.OrderID, order.UserID, order.Items, decidedAt.UnixMilli()}
		value, err := encode(inventoryReservedSchema, given.ReservedSchemaID, &event)
		headers := eventHeaders("InventoryReserved", order.OrderID, traceparent)
		return &kgo.Record{Topic: given.Output, Key: record.Key, Value: value, Headers: headers}, err
	}
	event := inventoryFailed{order.OrderID, order.UserID, "OUT_OF_STOCK", outcome.shortages, decidedAt.UnixMilli()}
	value, err := encode(inventoryFailedSchema, given.FailedSchemaID, &event)
	headers := eventHeaders("InventoryFailed", order.OrderID, traceparent)
	return &kgo.Record{Topic: given.FailedOutput, Key: record.Key, Value: value, Headers: headers}, err
}
