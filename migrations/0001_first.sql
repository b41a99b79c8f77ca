-- The first schema, one text for SQLite and PostgreSQL.
--
-- Columns are TEXT and BIGINT. A time is UTC milliseconds since 1970 unless its comment says otherwise. An id is made by the
-- program: 16 characters of lower-case base32hex, which sort as their bytes do. Lists and letters are JSON. There are no
-- sequences, triggers, casts, collations or foreign keys: a foreign key between tables that are distributed by bucket and
-- tables that are not cannot be had on a cluster, and one that holds on one database only would be a trap.
--
-- Tables that grow with subscribers carry `bucket`, a hash of the address, as the first column of their primary key. `{clustered}` keeps
-- their rows in the order of that key on SQLite, which would else have each row in one tree and its key in another; PostgreSQL has no such word.

-- What was fixed when the database was created: `key`, 32 random bytes in hex that sign every link; `buckets`, how many.
CREATE TABLE install (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row a bucket: the gate through which every change of its memberships goes.
--
-- A cut is a number, not a time: how many mailings have been opened before, counted over the whole install. Opening a mailing
-- raises `cut` in every bucket; joining or leaving an audience locks the row of its bucket and notes the cut it finds. So the
-- order of commits decides who is in an audience, and no clock can be wrong about it.
CREATE TABLE bucket (
    bucket BIGINT NOT NULL PRIMARY KEY,
    cut    BIGINT NOT NULL
);

-- What the watcher knew of a newsletter's source when it last read it.
CREATE TABLE source (
    newsletter  TEXT   NOT NULL PRIMARY KEY,
    commit_id   TEXT   NOT NULL,  -- empty for a plain directory
    fingerprint TEXT   NOT NULL,  -- of what rendering depends on besides the documents
    baseline_at BIGINT NOT NULL,  -- the first reading: everything in it is archive, not news
    read_at     BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,  -- when anything readers see last changed
    next_at     BIGINT,           -- when the next document that is dated in the future is due
    error       TEXT              -- why the last look failed, if it did
);

-- Every issue ever seen. A withdrawn one keeps its row, so that it is recognised when it comes back.
CREATE TABLE issue (
    newsletter TEXT   NOT NULL,
    issue      TEXT   NOT NULL,
    number     BIGINT NOT NULL,  -- of the newest revision
    slug       TEXT   NOT NULL,
    published  BIGINT NOT NULL,  -- 1 in feeds and archive, 0 withdrawn
    mail       TEXT   NOT NULL,  -- archive, news, held, released, dismissed
    hold_rule    TEXT,           -- why it is held from mail, while it is
    hold_message TEXT,
    hold_remedy  TEXT,
    news_at    BIGINT,           -- when it first became news or was released; NULL before
    seen_at    BIGINT NOT NULL,  -- when its content last changed: the settle time counts from here
    written_at BIGINT NOT NULL,  -- of the newest revision, to sort by
    feed_hash  TEXT   NOT NULL,  -- of what feeds show of the newest revision
    feed_size  BIGINT NOT NULL,  -- bytes that the newest revision needs in a feed, at most
    PRIMARY KEY (newsletter, issue)
);
CREATE INDEX issue_by_slug ON issue (newsletter, slug);
-- Archives and feeds are read in this order, from either end, without a look at the revisions. With what a feed is planned by in the
-- index, ten thousand issues are planned without a look at the table either.
CREATE INDEX issue_by_date ON issue (newsletter, published, written_at, issue, feed_hash, feed_size);

-- An issue as it was read at one commit and rendered. Numbers count from 1 for each issue; a mailing freezes one.
CREATE TABLE revision (
    newsletter   TEXT   NOT NULL,
    issue        TEXT   NOT NULL,
    number       BIGINT NOT NULL,
    path         TEXT   NOT NULL,
    slug         TEXT   NOT NULL,
    commit_id    TEXT   NOT NULL,
    blob         TEXT   NOT NULL,
    content_hash TEXT   NOT NULL,  -- of the document's fields and body
    title        TEXT   NOT NULL,
    authors      TEXT   NOT NULL,  -- JSON list
    tags         TEXT   NOT NULL,  -- JSON list
    language     TEXT,
    image        TEXT,
    written      TEXT   NOT NULL,  -- the issue's date as written, RFC 3339 with its offset
    written_at   BIGINT NOT NULL,  -- the same instant, to sort by
    updated_at   BIGINT NOT NULL,
    url          TEXT   NOT NULL,
    summary      TEXT   NOT NULL,
    PRIMARY KEY (newsletter, issue, number)
);

-- What a revision says. A table of its own, so that a list of thousands of issues goes through their heads and past no text.
CREATE TABLE content (
    newsletter TEXT   NOT NULL,
    issue      TEXT   NOT NULL,
    number     BIGINT NOT NULL,  -- of the revision
    web_html   TEXT   NOT NULL,
    feed_html  TEXT   NOT NULL,
    mail_html  TEXT   NOT NULL,
    plain      TEXT   NOT NULL,
    assets     TEXT   NOT NULL,  -- JSON list
    PRIMARY KEY (newsletter, issue, number)
);

-- Files that the newest revision of an issue shows: the only files of a source that the web face serves.
CREATE TABLE asset (
    newsletter TEXT NOT NULL,
    path       TEXT NOT NULL,
    issue      TEXT NOT NULL,
    PRIMARY KEY (newsletter, path, issue)
);
CREATE INDEX asset_by_issue ON asset (newsletter, issue);

-- Tags and authors of published issues: what readers find and follow issues by.
CREATE TABLE facet (
    newsletter TEXT   NOT NULL,
    kind       TEXT   NOT NULL,  -- tag or author
    slug       TEXT   NOT NULL,  -- of the name: names with one slug are one facet
    written_at BIGINT NOT NULL,  -- of the issue, to sort by
    issue      TEXT   NOT NULL,
    name       TEXT   NOT NULL,  -- as the issue writes it
    PRIMARY KEY (newsletter, kind, slug, written_at, issue)
);
CREATE INDEX facet_by_issue ON facet (newsletter, issue);

-- The words that issues are found by, of the newest revision: folded, each once, with a space before and behind. Looked through with
-- LIKE: an archive of thousands of issues has some MiB of them, and a table with a row for each word would have millions of rows.
CREATE TABLE search (
    newsletter TEXT NOT NULL,
    issue      TEXT NOT NULL,
    title      TEXT NOT NULL,
    words      TEXT NOT NULL,
    PRIMARY KEY (newsletter, issue)
);

-- Former paths of issues, which redirect to where the issue is now.
CREATE TABLE alias (
    newsletter TEXT NOT NULL,
    path       TEXT NOT NULL,
    issue      TEXT NOT NULL,
    PRIMARY KEY (newsletter, path, issue)
);
CREATE INDEX alias_by_issue ON alias (newsletter, issue);

-- Why documents are not published. Replaced as a whole by each reading.
CREATE TABLE hold (
    newsletter  TEXT   NOT NULL,
    place       BIGINT NOT NULL,  -- counts from 0 within one reading
    rule        TEXT   NOT NULL,
    path        TEXT   NOT NULL,
    line_number BIGINT,
    column_number BIGINT,
    message     TEXT   NOT NULL,
    remedy      TEXT   NOT NULL,
    PRIMARY KEY (newsletter, place)
);

-- A person's address. Removing someone erases address and key; the bare id stays in the ledger.
CREATE TABLE subscriber (
    bucket        BIGINT NOT NULL,
    subscriber_id TEXT   NOT NULL,
    address       TEXT,
    address_key   TEXT,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (bucket, subscriber_id),
    UNIQUE (bucket, address_key)
){clustered};

-- Where a subscriber stands with a cadence of a newsletter: pending, confirmed or unsubscribed.
CREATE TABLE subscription (
    bucket          BIGINT NOT NULL,
    subscriber_id   TEXT   NOT NULL,
    newsletter      TEXT   NOT NULL,
    cadence         TEXT   NOT NULL,
    state           TEXT   NOT NULL,
    request         BIGINT NOT NULL,  -- counts the subscriber's requests to the newsletter, over all its cadences
    requested_at    BIGINT NOT NULL,
    confirmed_at    BIGINT,           -- last time
    unsubscribed_at BIGINT,           -- last time; empty again only when the person confirms again
    fields          TEXT   NOT NULL,  -- what the person told about themselves, JSON object of texts; empty when they leave
    PRIMARY KEY (bucket, subscriber_id, newsletter, cadence)
){clustered};

-- Who belongs to which audiences, for ever: one row for each stretch in which a subscription was confirmed.
--
-- The subscriber is in the audience of the mailing with cut c when joined_after < c <= left_after. Rows are only added, and
-- closed; who comes back before the next mailing opens reopens a row that no audience has seen. So the audience of an opened
-- mailing can be counted at any time and never changes.
CREATE TABLE membership (
    bucket        BIGINT NOT NULL,
    newsletter    TEXT   NOT NULL,
    cadence       TEXT   NOT NULL,
    subscriber_id TEXT   NOT NULL,
    joined_after  BIGINT NOT NULL,  -- a cut
    left_after    BIGINT NOT NULL,  -- a cut; 9223372036854775807 while confirmed
    PRIMARY KEY (bucket, newsletter, cadence, subscriber_id, joined_after)
){clustered};

-- How permission was given and taken back, word for word. Rows are only added.
CREATE TABLE consent (
    bucket        BIGINT NOT NULL,
    subscriber_id TEXT   NOT NULL,
    newsletter    TEXT   NOT NULL,
    cadence       TEXT   NOT NULL,
    request       BIGINT NOT NULL,
    event         TEXT   NOT NULL,  -- requested, confirmed, chosen, added, replaced, unsubscribed, removed, lapsed
    source        TEXT   NOT NULL,  -- form, import, operator; empty for what follows from an earlier row
    note          TEXT   NOT NULL,
    at            BIGINT NOT NULL,
    PRIMARY KEY (bucket, subscriber_id, newsletter, cadence, request, event)
){clustered};

-- Addresses that are never mailed, whatever the newsletter. The first reason stays.
CREATE TABLE suppression (
    bucket      BIGINT NOT NULL,
    address_key TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (bucket, address_key)
){clustered};

-- What the scheduler knew of a cadence. Every node moves `last` by a guarded update: whoever is second changes nothing.
CREATE TABLE cadence (
    newsletter TEXT   NOT NULL,
    cadence    TEXT   NOT NULL,
    since      BIGINT NOT NULL,  -- when it was first seen: earlier news is not for it
    last       TEXT   NOT NULL,  -- local time of the last occurrence that was dealt with
    PRIMARY KEY (newsletter, cadence)
);

-- One digest to one audience at one occurrence, or one confirmation to one person.
--
-- A confirmation is a mailing like any other: its occurrence is its own id, so the unique key never stops one, and its one
-- batch has a range of one subscriber.
CREATE TABLE mailing (
    mailing_id  TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,  -- confirmation, correction or digest, in the order they are worked off
    newsletter  TEXT   NOT NULL,
    cadence     TEXT   NOT NULL,
    occurrence  TEXT   NOT NULL,  -- local time of the occurrence of a digest; else the mailing's own id
    state       TEXT   NOT NULL,  -- open, paused, finished, cancelled
    reason      TEXT,
    subject     TEXT   NOT NULL,
    letter      TEXT   NOT NULL,  -- JSON, frozen: sending reads nothing else
    cut         BIGINT NOT NULL,  -- see bucket; 0 for a confirmation or a correction
    corrects    TEXT,             -- the mailing whose readers a correction goes to
    request     BIGINT NOT NULL,  -- the request a confirmation's token answers; 0 for a digest
    opened_at   BIGINT NOT NULL,
    finished_at BIGINT,
    turn        BIGINT NOT NULL,  -- when a batch of it was last leased: whose turn is longest ago is next
    people      BIGINT,           -- the audience, counted once soon after the opening, to show progress
    sampled     BIGINT NOT NULL,  -- the progress at `sampled_at`, and messages in 1000 seconds, as it was then
    sampled_at  BIGINT NOT NULL,
    rate        BIGINT,
    audience    BIGINT,           -- the books, written when the mailing finishes
    accepted    BIGINT,
    refused     BIGINT,
    skipped     BIGINT,
    held        BIGINT,
    UNIQUE (newsletter, cadence, occurrence)
);
CREATE INDEX mailing_by_state ON mailing (state, kind, opened_at);

-- An issue is mailed once: the primary key refuses a second mailing of it to the same cadence. `variant` is empty; a correction
-- has its word and the number of the revision, so each revision is sent as a correction once.
CREATE TABLE mailing_issue (
    newsletter TEXT   NOT NULL,
    cadence    TEXT   NOT NULL,
    issue      TEXT   NOT NULL,
    variant    TEXT   NOT NULL,
    mailing_id TEXT   NOT NULL,
    number     BIGINT NOT NULL,  -- of the revision that was frozen
    PRIMARY KEY (newsletter, cadence, issue, variant)
);

-- How fast mail may go: a mailing, a relay or a group of domains, its rate (none: no limit), and the time of the next free slot in
-- microseconds. Nodes take slots by moving that time on. Where the rate has longer spans too, `counts` says what was taken of them, as a
-- JSON list: seconds of the span, number of the sixtieth of it, messages.
CREATE TABLE allowance (
    scope   TEXT   NOT NULL PRIMARY KEY,
    rate    TEXT,
    next_at BIGINT NOT NULL,
    counts  TEXT   NOT NULL
);

-- Relays that are down: a row while they are. Whoever moves `probe_at` on, by a guarded update, may look with one connection.
CREATE TABLE relay (
    relay    TEXT   NOT NULL PRIMARY KEY,
    since    BIGINT NOT NULL,
    probe_at BIGINT NOT NULL,
    reason   TEXT   NOT NULL
);

-- How far relays are warmed up. `taken` counts the day's messages, those included that a node took and did not need.
CREATE TABLE warm_up (
    relay TEXT   NOT NULL PRIMARY KEY,
    day   BIGINT NOT NULL,  -- since 1970, in UTC
    step  BIGINT NOT NULL,  -- days of the plan that are behind it
    taken BIGINT NOT NULL
);

-- A key range of one bucket of one mailing's audience, leased by one node at a time.
--
-- The epoch counts the owners; every write to the ledger names owner and epoch. Lease times are the database's clock.
CREATE TABLE batch (
    bucket           BIGINT NOT NULL,
    mailing_id       TEXT   NOT NULL,
    batch            BIGINT NOT NULL,
    first_subscriber TEXT   NOT NULL,  -- inclusive
    last_subscriber  TEXT   NOT NULL,  -- inclusive
    state            TEXT   NOT NULL,  -- free, leased, done
    due_at           BIGINT NOT NULL,  -- a free batch has nothing to do before
    owner            TEXT   NOT NULL,
    epoch            BIGINT NOT NULL,
    lease_until      BIGINT NOT NULL,
    done             BIGINT NOT NULL,  -- settled deliveries, about: a commit whose answer was lost counts twice. The books count the ledger
    PRIMARY KEY (bucket, mailing_id, batch)
){clustered};
-- Finds what can be leased and whether all is done. Renewing a lease changes none of these columns.
CREATE INDEX batch_by_mailing ON batch (mailing_id, state, due_at);

-- The ledger: what happened, attempt by attempt. Rows are only added; only a `held` is overwritten when an operator settles it: by
-- `accepted` when the relay turns out to have it, by `released` when it is to be sent again.
--
-- Step 0 says that the message was handed to the relay's connection, step 1 what came of it. A step 0 without its step 1 is in
-- flight or in doubt. At most one step 1 of a subscriber is final: accepted, refused, skipped or held.
CREATE TABLE delivery (
    bucket        BIGINT NOT NULL,
    mailing_id    TEXT   NOT NULL,
    subscriber_id TEXT   NOT NULL,
    attempt       BIGINT NOT NULL,  -- from 1
    step          BIGINT NOT NULL,
    event         TEXT   NOT NULL,  -- handed; accepted, deferred, refused, skipped, held, released
    at            BIGINT NOT NULL,
    epoch         BIGINT NOT NULL,  -- of the lease under which it was written
    code          BIGINT,           -- the relay's reply
    reply         TEXT,             -- its text, or why someone was skipped
    PRIMARY KEY (bucket, mailing_id, subscriber_id, attempt, step)
){clustered};

-- Who waits for another attempt, and when it is due. The row goes when the attempt is handed.
CREATE TABLE retry (
    bucket        BIGINT NOT NULL,
    mailing_id    TEXT   NOT NULL,
    subscriber_id TEXT   NOT NULL,
    attempt       BIGINT NOT NULL,  -- the one that was deferred
    due_at        BIGINT NOT NULL,
    first_at      BIGINT NOT NULL,  -- when the first attempt was handed
    PRIMARY KEY (bucket, mailing_id, subscriber_id)
){clustered};

-- WebSub. A topic is the URL of a feed that somebody is told about: a reader that subscribed at our hub, or a hub elsewhere.
CREATE TABLE hub_topic (
    topic   TEXT   NOT NULL PRIMARY KEY,
    hash    TEXT   NOT NULL,  -- of the bytes that were distributed last
    version BIGINT NOT NULL,  -- of all sources together when those bytes were read; it only grows, so an older reading changes nothing
    seen_at BIGINT NOT NULL   -- when a node last found that the feed is there
);

-- A reader's subscription to a topic. Its id is a hash of topic and callback, which a unique index could not hold.
CREATE TABLE hub_subscription (
    subscription  TEXT   NOT NULL PRIMARY KEY,
    topic         TEXT   NOT NULL,
    callback      TEXT   NOT NULL,
    host          TEXT   NOT NULL,  -- of the callback
    secret        TEXT,             -- what pushes are signed with
    since         BIGINT NOT NULL,  -- when the reader first confirmed it
    expires_at    BIGINT NOT NULL,
    pushed_at     BIGINT,           -- the last push that the reader took
    failing_since BIGINT,           -- while pushes fail: when that began
    error         TEXT              -- and why the last one did
);
CREATE INDEX hub_subscription_by_topic ON hub_subscription (topic, expires_at);
CREATE INDEX hub_subscription_by_host ON hub_subscription (host);

-- An HTTP request that we owe somebody: to verify or to deny a subscription, to push a feed, to ping a hub elsewhere.
--
-- Leased by one node at a time, as a batch is. A newer reason for the same errand raises `version`, and whoever is under way
-- with the older one finds that and leaves the errand to be done again.
CREATE TABLE hub_errand (
    errand        TEXT   NOT NULL PRIMARY KEY,  -- its kind, and a hash of topic and target
    kind          TEXT   NOT NULL,  -- verify, deny, push, ping
    topic         TEXT   NOT NULL,
    target        TEXT   NOT NULL,  -- the callback, or the hub elsewhere
    host          TEXT   NOT NULL,  -- of the target
    subscription  TEXT   NOT NULL,  -- empty for a ping
    mode          TEXT,             -- verify: subscribe or unsubscribe
    secret        TEXT,             -- verify: the secret that is asked for
    lease_seconds BIGINT,           -- verify: how long the subscription will last
    version       BIGINT NOT NULL,
    attempt       BIGINT NOT NULL,  -- how many were made for this version
    first_at      BIGINT NOT NULL,  -- when this version became due
    due_at        BIGINT NOT NULL,
    error         TEXT,             -- why the last attempt failed
    owner         TEXT   NOT NULL,
    epoch         BIGINT NOT NULL,
    lease_until   BIGINT NOT NULL   -- the database's clock; 0 when nobody is under way
);
CREATE INDEX hub_errand_by_due ON hub_errand (due_at);
CREATE INDEX hub_errand_by_subscription ON hub_errand (subscription);

-- How many requests to subscribe were taken in the running window: of everybody, and for each host of callbacks.
CREATE TABLE hub_quota (
    name   TEXT   NOT NULL PRIMARY KEY,
    window_at BIGINT NOT NULL,
    used   BIGINT NOT NULL
);
