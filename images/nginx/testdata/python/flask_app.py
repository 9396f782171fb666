from flask import Flask, jsonify, request
from werkzeug.middleware.proxy_fix import ProxyFix

app = Flask(__name__)
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=2, x_proto=1, x_prefix=1)


@app.route("/", defaults={"rest": ""})
@app.route("/<path:rest>")
def echo(rest):
    return jsonify(client=request.remote_addr, url=request.url)
