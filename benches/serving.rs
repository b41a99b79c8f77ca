//! How many requests for a feed are answered each second, against nginx that serves the same bytes from files.
//!
//! `cargo bench --bench serving -- [SECONDS]`, by default 3 for each measurement. Needs nginx and wrk. Both servers have as many
//! workers as there are processors, both are driven by the same wrk, in turns, and the median of five turns counts. nginx has
//! `gzip_static`, `open_file_cache` and no log: it opens no file and compresses nothing. Target: each ratio at least 0.9.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // what cannot be started cannot be measured

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How often each server is measured.
const TURNS: usize = 5;
/// How many issues, and how many paragraphs in each, make a feed of about 65 KB.
const ISSUES: usize = 20;
const PARAGRAPHS: usize = 6;
const CONNECTIONS: &str = "64";

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse::<u64>().ok()).unwrap_or(3);
    let home = TempDir::new().unwrap();
    let workers = std::thread::available_parallelism().unwrap().get();
    let (ours, theirs) = (free_port(), free_port());
    let _tidings = tidings(home.path(), ours);
    let plain = get(ours, "/news/atom.xml", "identity");
    let zipped = get(ours, "/news/atom.xml", "gzip");
    let _nginx = nginx(home.path(), theirs, workers, &plain.body, &zipped.body);
    assert_eq!(get(theirs, "/news/atom.xml", "identity").body, plain.body);
    assert_eq!(get(theirs, "/news/atom.xml", "gzip").body, zipped.body);
    println!(
        "a feed of {} bytes, {} as gzip; {workers} workers, {CONNECTIONS} connections, {TURNS} turns of {seconds} s",
        plain.body.len(),
        zipped.body.len()
    );
    println!("{:<14} {:>10} {:>10} {:>7} {:>11} {:>11}", "", "ours/s", "nginx/s", "ratio", "our p99", "nginx p99");
    for (what, coding, conditional) in
        [("304", "gzip", true), ("200 identity", "identity", false), ("200 gzip", "gzip", false)]
    {
        let mut measured = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            for (port, results) in [ours, theirs].into_iter().zip(&mut measured) {
                let condition = conditional.then(|| get(port, "/news/atom.xml", coding).etag);
                results.push(wrk(port, coding, condition.as_deref(), seconds));
            }
        }
        let [(rate, p99), (their_rate, their_p99)] = measured.map(median);
        println!(
            "{what:<14} {rate:>10.0} {their_rate:>10.0} {:>7.2} {p99:>9.2}ms {their_p99:>9.2}ms",
            rate / their_rate
        );
    }
}

/// Kills the process at the end.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn tidings(home: &Path, port: u16) -> Server {
    fs::create_dir(home.join("issues")).unwrap();
    let mut chance = Chance(1);
    for number in 1..=ISSUES {
        let paragraphs: String = (0..PARAGRAPHS).map(|_| paragraph(&mut chance)).collect();
        let text = format!("---\ntitle: Issue {number}\ndate: 2025-01-{number:02}\n---\n\n{paragraphs}");
        fs::write(home.join(format!("issues/{number:02}.md")), text).unwrap();
    }
    let config = format!(
        "[server]\npublic = \"127.0.0.1:{port}\"\nprivate = \"127.0.0.1:0\"\nurl = \"http://127.0.0.1:{port}/\"\n\
         [newsletters.news]\ntitle = \"News\"\nfrom = \"news@example.org\"\nsource.directory = \"issues\"\n\
         [newsletters.news.cadences.weekly]\ntitle = \"W\"\ncron = \"0 9 * * 1\"\n"
    );
    fs::write(home.join("tidings.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.args(["--config", "tidings.toml", "serve"]).current_dir(home).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server(command.spawn().unwrap());
    wait_for(port);
    server
}

/// Some of an endless row of numbers, the same in each run (Knuth's constants).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// Made-up words that compress as prose does, to about a quarter: some thousand of them, the early ones more often.
fn paragraph(chance: &mut Chance) -> String {
    const SYLLABLES: [&str; 16] =
        ["ba", "re", "ti", "lo", "mu", "ken", "sa", "do", "ir", "ven", "po", "la", "che", "ni", "tor", "ga"];
    let mut words = Vec::new();
    for _ in 0..45 {
        let limit = 1 + chance.below(4096);
        let mut number = chance.below(limit);
        let mut word = String::new();
        while word.is_empty() || number > 0 {
            word.push_str(SYLLABLES[number % 16]);
            number /= 16;
        }
        words.push(word);
    }
    let number = chance.below(10_000);
    format!("{} [#{number}](https://example.org/pull/{number}?a=1&b=2) (Zoë).\n\n", words.join(" "))
}

fn nginx(home: &Path, port: u16, workers: usize, plain: &[u8], zipped: &[u8]) -> Server {
    let root = home.join("www/news");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("atom.xml"), plain).unwrap();
    fs::write(root.join("atom.xml.gz"), zipped).unwrap();
    let config = format!(
        "daemon off; worker_processes {workers}; pid {home}/nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 1024; multi_accept on; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000;\n\
         client_body_temp_path {home}/b; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u;\n\
         scgi_temp_path {home}/s; open_file_cache max=100 inactive=1h; open_file_cache_valid 1h; gzip_static on; gzip_vary on;\n\
         types {{ application/atom+xml xml; }} default_type text/plain;\n\
         server {{ listen 127.0.0.1:{port}; root {home}/www; add_header Cache-Control \"public, max-age=300\"; }} }}\n",
        home = home.display()
    );
    fs::write(home.join("nginx.conf"), config).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-p", &home.display().to_string(), "-c", &home.join("nginx.conf").display().to_string()]);
    // A master that is root would serve as another user, who may not look into our directory.
    command.args([
        "-g",
        if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            "user root;"
        } else {
            ""
        },
    ]);
    let server = Server(command.stderr(Stdio::null()).spawn().expect("nginx is installed"));
    wait_for(port);
    server
}

fn wait_for(port: u16) {
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() && get(port, "/news/atom.xml", "identity").status == 200 {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing answers on port {port}");
}

struct Answer {
    status: u16,
    etag: String,
    body: Vec<u8>,
}

fn get(port: u16, path: &str, coding: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let body = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    let field = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .next()
            .unwrap_or_default()
    };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Answer { status, etag: field("etag"), body }
}

/// Requests a second and the 99th percentile in milliseconds.
fn wrk(port: u16, coding: &str, etag: Option<&str>, seconds: u64) -> (f64, f64) {
    let mut command = Command::new("wrk");
    command.args(["-t", "2", "-c", CONNECTIONS, "--latency", "-d", &format!("{seconds}s")]);
    command.args(["-H", &format!("Accept-Encoding: {coding}")]);
    if let Some(etag) = etag {
        command.args(["-H", &format!("If-None-Match: {etag}")]);
    }
    let output = command.arg(format!("http://127.0.0.1:{port}/news/atom.xml")).output().expect("wrk is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Non-2xx"), "{text}");
    let after = |mark: &str| {
        text.split(mark).nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned()
    };
    (after("Requests/sec:").parse().unwrap(), milliseconds(&after(" 99%")))
}

/// `1.23ms`, `456.00us`, `1.02s`
fn milliseconds(text: &str) -> f64 {
    let number = |unit: &str| text.strip_suffix(unit).and_then(|number| number.parse::<f64>().ok());
    number("us").map(|us| us / 1000.0).or_else(|| number("ms")).or_else(|| number("s").map(|s| s * 1000.0)).unwrap()
}

fn median(mut results: Vec<(f64, f64)>) -> (f64, f64) {
    let mut middle = |by: fn(&(f64, f64)) -> f64| {
        results.sort_by(|a, b| by(a).total_cmp(&by(b)));
        by(&results[results.len() / 2])
    };
    (middle(|result| result.0), middle(|result| result.1))
}
