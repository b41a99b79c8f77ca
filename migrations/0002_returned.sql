-- Mail that came back, or that its reader complained of. One row for each mail and kind: the same report again adds nothing.
CREATE TABLE returned (
    bucket        BIGINT NOT NULL,
    subscriber_id TEXT   NOT NULL,
    mailing_id    TEXT   NOT NULL,
    kind          TEXT   NOT NULL,  -- bounce, complaint
    at            BIGINT NOT NULL,
    status        TEXT   NOT NULL,  -- of a bounce: class, subject and detail (RFC 3463); else empty
    reason        TEXT   NOT NULL,  -- what the refusing server said, without addresses
    counts        BIGINT NOT NULL,  -- 1 when it was the mailbox's fault
    PRIMARY KEY (bucket, subscriber_id, mailing_id, kind)
){clustered};
CREATE INDEX returned_by_mailing ON returned (mailing_id, kind, status);
