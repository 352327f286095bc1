"""Uses the client that was generated into the folder in the second argument. Prints the results as JSON."""

import json
import sys

sys.path.insert(0, sys.argv[2])

import orderly_orders
from orderly_orders.api.orders_api import OrdersApi


class LinesClient(orderly_orders.ApiClient):
    """Encodes NDJSON. The generated client encodes only JSON, and sends other bodies if they are text."""

    def call_api(self, method, url, header_params=None, body=None, *args, **kwargs):
        if header_params.get("Content-Type") == "application/x-ndjson":
            body = "".join(json.dumps(line) + "\n" for line in body)
        return super().call_api(method, url, header_params, body, *args, **kwargs)


order = {"userID": "python", "items": [{"sku": "TEA-EARL-GREY-100G", "quantity": 1}], "total": 6.9}
with LinesClient(orderly_orders.Configuration(host=sys.argv[1])) as client:
    api = OrdersApi(client)
    single = orderly_orders.PlaceOrder.from_dict(order)
    placed = api.place_order(single, idempotency_key="python-1", prefer="wait=30")
    again = api.place_order(single, idempotency_key="python-1")
    batch = api.place_orders([orderly_orders.BatchOrder.from_dict(order)] * 2)
    lines = api.place_orders([orderly_orders.BatchOrder.from_dict(order)] * 3, _content_type="application/x-ndjson")
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
