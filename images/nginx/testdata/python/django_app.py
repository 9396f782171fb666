from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["www.example.com"],
    ROOT_URLCONF=__name__,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
)


def echo(request, rest=""):
    return JsonResponse({"client": request.META.get("HTTP_X_REAL_IP"), "url": request.build_absolute_uri()})


urlpatterns = [path("", echo), path("<path:rest>", echo)]
application = get_wsgi_application()
