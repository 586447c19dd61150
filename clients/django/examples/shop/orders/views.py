import json

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .services import place_order


@csrf_exempt
@require_POST
def place(request: HttpRequest) -> JsonResponse:
    wanted = json.loads(request.body)
    order = place_order(customer=str(wanted["customer"]), cents=int(wanted["cents"]))
    return JsonResponse({"order_id": order.pk}, status=201)
