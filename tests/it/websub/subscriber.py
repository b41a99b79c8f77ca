"""A feed reader made of Flask-WebSub: discovers the hub of a feed, subscribes, and prints what happens, a line each.

Arguments: the URL of the feed, the port to listen on. On standard input, the line `leave` unsubscribes.
"""

import sys
import tempfile
import threading

import flask_websub.subscriber as websub
from flask import Flask

# The library gives a secret to hubs behind TLS only. The hub of the test is on this machine, and its signature is to be checked.
websub.is_secure = lambda url: True

feed, port = sys.argv[1], int(sys.argv[2])
app = Flask(__name__)
app.config["SERVER_NAME"] = f"127.0.0.1:{port}"
database = tempfile.NamedTemporaryFile(suffix=".sqlite3")
subscriber = websub.Subscriber(
    websub.SQLite3SubscriberStorage(database.name), websub.SQLite3TempSubscriberStorage(database.name)
)
app.register_blueprint(subscriber.build_blueprint(url_prefix="/callbacks"))


def say(*words):
    print(*words, flush=True)


@subscriber.add_success_handler
def on_success(topic, callback, mode):
    say("verified", mode, topic)


@subscriber.add_error_handler
def on_error(topic, callback, reason):
    say("denied", topic, reason)


# Called only when the signature is right.
@subscriber.add_listener
def on_topic_change(topic, callback, body):
    say("received", topic, len(body), "with-second" if b"The second issue" in body else "without-second")


def main():
    found = websub.discover(feed)
    say("discovered", found["hub_url"], found["topic_url"])
    with app.app_context():
        callback = subscriber.subscribe(**found, lease_seconds=86400)
        for line in sys.stdin:
            if line.strip() == "leave":
                subscriber.unsubscribe(callback)


server = threading.Thread(target=lambda: app.run(port=port, threaded=True), daemon=True)
server.start()
main()
