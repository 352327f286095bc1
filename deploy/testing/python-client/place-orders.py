"""Uses the client that was generated into the folder in the second argument. Prints the results as JSON."""

import json
import sys

sys.path.insert(0, sys.argv[2])

import orderly_orders
from orderly_orders.api.orders_api import OrdersApi

order = {"userID": "python", "items": [{"sku": "TEA-EARL-GREY-100G", "quantity": 1}], "total": 6.9}
with orderly_orders.ApiClient(orderly_orders.Configuration(host=sys.argv[1])) as client:
    api = OrdersApi(client)
    single = orderly_orders.PlaceOrder.from_dict(order)
    placed = api.place_order(single, idempotency_key="python-1", prefer="wait=30")
    again = api.place_order(single, idempotency_key="python-1")
    batch = api.place_orders([orderly_orders.BatchOrder.from_dict(order)] * 2)

    # The method takes the JSON form of a batch. The generated transport sends NDJSON, as a string.
    request = client.param_serialize(
        method="POST",
        resource_path="/orders/batch",
        header_params={"Accept": "application/json", "Content-Type": "application/x-ndjson"},
        body="".join(json.dumps(order) + "\n" for _ in range(3)),
    )
    response = client.call_api(*request)
    response.read()
    lines = client.response_deserialize(response, {"200": "PlaceOrders200Response"}).data
    try:
        api.place_order(orderly_orders.PlaceOrder.from_dict({**order, "total": 1}), idempotency_key="python-1")
        refused = None
    except orderly_orders.ApiException as error:
        refused = [error.status, json.loads(error.body)["code"]]
    print(
        json.dumps(
            {
                "status": api.get_order(str(placed.order_id)).status,
                "isReplay": again.order_id == placed.order_id,
                "batch": [result.status for result in batch.results],
                "ndjson": [result.status for result in lines.results],
                "refused": refused,
                "isListed": placed.order_id in [each.order_id for each in api.list_orders("python").orders],
            }
        )
    )
