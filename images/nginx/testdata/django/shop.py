"""A Django site in one file: it writes down what it gets, and has a form with a token."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import path, reverse

settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["www.example.com"],
    ROOT_URLCONF=__name__,
    CSRF_COOKIE_SECURE=True,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
)


def echo(request, **_):
    text = {name: value for name, value in request.META.items() if isinstance(value, str) and name.isupper()}
    return JsonResponse({"server": text, "url": request.build_absolute_uri(), "link": reverse("form"), "secure": request.is_secure(), "body": len(request.body)})


def form(request):
    if request.method == "POST":
        return HttpResponse("bought " + request.POST["what"])
    return HttpResponse(get_token(request), content_type="text/plain")


urlpatterns = [path("form/", form, name="form"), path("healthz", echo), path("", echo), path("<path:rest>", echo)]
application = get_wsgi_application()
