package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"
)

// runStage consumes, transforms and produces exactly once with franz-go's GroupTransactSession, one
// transaction per poll.
func runStage(given task) (answer, error) {
	ctx := context.Background()
	session, err := newSession(given)
	if err != nil {
		return answer{}, err
	}
	defer session.Close()
	var watch stopwatch
	var order orderCreated
	commits := 0
	for done := 0; done < given.Records; {
		fetches := session.PollRecords(ctx, given.Batch)
		if err := fetches.Err(); err != nil {
			return answer{}, err
		}
		if fetches.NumRecords() == 0 {
			continue
		}
		watch.startOnce()
		if err := session.Begin(); err != nil {
			return answer{}, err
		}
		promise := kgo.AbortingFirstErrPromise(session.Client())
		var failure error
		fetches.EachRecord(func(record *kgo.Record) {
			if failure != nil {
				return
			}
			order = orderCreated{}
			if failure = decodeOrder(record.Value, &order); failure != nil {
				return
			}
			event := inventoryReserved{order.OrderID, order.UserID, order.Items, order.CreatedAtMs}
			value, err := encode(inventoryReservedSchema, given.ReservedSchemaID, &event)
			if err != nil {
				failure = err
				return
			}
			session.Produce(ctx, &kgo.Record{
				Topic:   given.Output,
				Key:     record.Key,
				Value:   value,
				Headers: eventHeaders("InventoryReserved", order.OrderID, childTraceparent(traceparentOf(record))),
			}, promise.Promise())
		})
		if failure != nil {
			return answer{}, failure
		}
		committed, err := session.End(ctx, kgo.TransactionEndTry(promise.Err() == nil))
		if err != nil {
			return answer{}, err
		}
		if !committed {
			return answer{}, errors.New("a transaction was aborted")
		}
		done += fetches.NumRecords()
		commits++
	}
	result := watch.stop()
	result.Commits = commits
	return result, nil
}

func newSession(given task) (*kgo.GroupTransactSession, error) {
	return kgo.NewGroupTransactSession(
		kgo.SeedBrokers(given.Brokers),
		kgo.ConsumerGroup(given.Group),
		kgo.ConsumeTopics(given.Input),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		kgo.FetchMaxPartitionBytes(2*1024*1024),
		kgo.TransactionalID(given.Group),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	)
}
