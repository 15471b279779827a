"""A small Django site in one file: forms with CSRF, signed sessions, files."""

import hashlib
import os

import django
from django import forms
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import (
    FileResponse,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template import engines
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the test, and the same in all workers",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    FILE_UPLOAD_MAX_MEMORY_SIZE=100_000,  # larger ones go through a file
    DATA_UPLOAD_MAX_MEMORY_SIZE=5_000_000,
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"stderr": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["stderr"]},
    },
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
)
django.setup()

PAGE = """<form method="post" enctype="multipart/form-data">
{% csrf_token %}{{ form.as_p }}</form>"""


class NameForm(forms.Form):
    name = forms.CharField()


class UploadForm(forms.Form):
    file = forms.FileField()


def render(request, form):
    page = engines["django"].from_string(PAGE)
    return HttpResponse(page.render({"form": form}, request))


def index(request):
    name = request.session.get("name", "stranger")
    return HttpResponse(f"hello {name}\n", content_type="text/plain; charset=utf-8")


def name(request):
    form = NameForm(request.POST or None)
    if not form.is_valid():
        return render(request, form)
    request.session["name"] = form.cleaned_data["name"]
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponseRedirect("/")


def upload(request):
    form = UploadForm(request.POST or None, request.FILES or None)
    if not form.is_valid():
        return render(request, form)
    file = form.cleaned_data["file"]
    sha256 = hashlib.sha256()
    for chunk in file.chunks():
        sha256.update(chunk)
    return JsonResponse(
        {"name": file.name, "size": file.size, "sha256": sha256.hexdigest()}
    )


def download(request):
    # The server closes it; a FileResponse goes through wsgi.file_wrapper.
    return FileResponse(open(request.GET["path"], "rb"), as_attachment=True)


def stream(request):
    lines = (f"line {number}\n" for number in range(1000))
    return StreamingHttpResponse(lines, content_type="text/csv")


def about(request):
    return JsonResponse(
        {
            "pid": os.getpid(),
            "address": request.build_absolute_uri(),
            "session": dict(request.session),
        }
    )


def fail(request):
    raise RuntimeError("failed on purpose")


urlpatterns = [
    path("", index),
    path("name", name),
    path("upload", upload),
    path("download", download),
    path("stream", stream),
    path("about", about),
    path("fail", fail),
]

application = get_wsgi_application()
