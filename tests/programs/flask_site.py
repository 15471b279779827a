"""A small Flask site: a form, a session, an upload, downloads, a stream."""

import hashlib
import os

from flask import Flask, Response, jsonify, redirect, request, send_file, session

site = Flask(__name__)
site.secret_key = "of the test, and the same in all workers"


@site.route("/")
def index():
    return f"hello {session.get('name', 'stranger')}\n"


@site.route("/form", methods=["GET", "POST"])
def form():
    if request.method == "GET":
        return '<form method="post"><input name="name"></form>'
    session["name"] = request.form["name"]
    session["count"] = session.get("count", 0) + 1
    return redirect("/")


@site.route("/upload", methods=["POST"])
def upload():
    file = request.files["file"]
    return jsonify(
        name=file.filename,
        sha256=hashlib.sha256(file.read()).hexdigest(),
        note=request.form.get("note"),
    )


@site.route("/body", methods=["POST", "PUT"])
def body():
    data = request.get_data()
    return jsonify(size=len(data), sha256=hashlib.sha256(data).hexdigest())


@site.route("/download")
def download():
    return send_file(request.args["path"], "application/octet-stream", conditional=True)


@site.route("/stream")
def stream():
    return Response((f"line {number}\n" for number in range(1000)), mimetype="text/csv")


@site.route("/about")
def about():
    return jsonify(
        pid=os.getpid(),
        url=request.url,
        args=request.args.to_dict(flat=False),
        cookies=request.cookies,
        remote=request.remote_addr,
        session=dict(session),
    )


@site.route("/ünï/<path:rest>")
def path(rest):
    return rest


@site.route("/fail")
def fail():
    raise RuntimeError("failed on purpose")


@site.route("/fail-late")
def fail_late():
    def lines():
        yield "so far so good\n"
        raise RuntimeError("failed on purpose, late")

    return Response(lines(), mimetype="text/plain")
