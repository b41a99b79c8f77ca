"""Judges messages as others do: dkimpy and Python's strict mail parser. Arguments: a JSON file of DNS records by name, then messages."""

import email
import email.policy
import json
import sys

import dkim

records = json.load(open(sys.argv[1]))


def dns(name, timeout=5):
    return records[name.decode().rstrip(".")].encode()


def verified(message):
    judge = dkim.DKIM(message)
    names = [name.lower() for name, _ in judge.headers]
    return [verifies(judge, i) for i in range(names.count(b"dkim-signature"))]


def verifies(judge, i):
    try:
        return judge.verify(idx=i, dnsfunc=dns)
    except dkim.ValidationError:
        return False


def changed(message):
    """What somebody on the way might do, each of which must break every signature."""
    head, body = message.split(b"\r\n\r\n", 1)
    yield head + b"\r\n\r\n" + body.replace(b"e", b"a", 1)
    yield head + b"\r\n\r\n" + body + b"more\r\n"
    for added in [b"From: x@example.com", b"Subject: x", b"Reply-To: x@example.com", b"To: x@example.com", b"Content-Type: text/html"]:
        yield head + b"\r\n" + added + b"\r\n\r\n" + body
        yield added + b"\r\n" + message
    yield b"List-Unsubscribe: <https://example.com/>\r\n" + message


def defects(message):
    """Everything a strict reader stumbles over: with this policy the parser raises."""
    # Python's parser knows nothing of RFC 6532: an address in UTF-8 is the one thing it may be spared.
    lines = [line if line.isascii() or not line.startswith(b"To: ") else b"To: ascii@example.com" for line in message.split(b"\r\n")]
    mail = email.message_from_bytes(b"\r\n".join(lines), policy=email.policy.strict)
    found = []
    for part in mail.walk():
        found += [str(defect) for defect in part.defects]
        for name, value in part.items():
            found += [f"{name}: {defect}" for defect in getattr(value, "defects", [])]
        if not part.is_multipart():
            part.get_content()
    kinds = [part.get_content_type() for part in mail.walk()]
    if kinds != ["multipart/alternative", "text/plain", "text/html"]:
        found.append(f"the structure is {kinds}")
    return found


def unfit(message):
    """Whatever one server could read otherwise than the next."""
    rest = message.replace(b"\r\n", b"")
    if b"\r" in rest or b"\n" in rest or b"\0" in rest:
        yield "a bare CR, a bare LF or a NUL"
    if any(len(line) > 998 for line in message.split(b"\r\n")):
        yield "a line over 998 octets"


for path in sys.argv[2:]:
    message = open(path, "rb").read()
    signatures = verified(message)
    forged = [i for i, forgery in enumerate(changed(message)) if any(verified(forgery))]
    print(json.dumps({
        "file": path,
        "signatures": signatures,
        "forged": forged,
        "defects": defects(message) + list(unfit(message)),
        "subject": str(email.message_from_bytes(message, policy=email.policy.default)["subject"]),
    }))
