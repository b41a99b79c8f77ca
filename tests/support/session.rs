//! One session of the scripted relay: what is said, what the script makes of it, what is committed.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

use super::{Action, Committed, Event, Record, Said, Script, Verdict};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The connection ends.
struct Over;

pub struct Session {
    stream: BufStream<Box<dyn Stream>>,
    script: Arc<Script>,
    record: Arc<Mutex<Record>>,
    connection: usize,
    encrypted: bool,
    authenticated: bool,
    from: String,
    to: String,
    /// The socket again, to reset it.
    twin: Option<TcpStream>,
}

impl Session {
    pub async fn run(tcp: TcpStream, script: Arc<Script>, record: Arc<Mutex<Record>>, connection: usize) {
        tcp.set_nodelay(true).unwrap();
        let (tcp, twin) = twins(tcp);
        let encrypted = script.implicit.is_some();
        let stream: Box<dyn Stream> = match &script.implicit {
            None => Box::new(tcp),
            Some(acceptor) => match acceptor.accept(tcp).await {
                Ok(tls) => Box::new(tls),
                Err(_) => {
                    record.lock().unwrap().open -= 1;
                    return;
                }
            },
        };
        let stream = BufStream::new(stream);
        let (from, to) = (String::new(), String::new());
        let mut session =
            Self { stream, script, record, connection, encrypted, authenticated: false, from, to, twin: Some(twin) };
        let _ = session.serve().await;
        let _ = session.stream.flush().await;
        session.record.lock().unwrap().open -= 1;
    }

    async fn serve(&mut self) -> Result<(), Over> {
        self.respond(Said::Connect, "220 peer.example ESMTP").await?;
        loop {
            let line = self.line().await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" if !self.script.lmtp => self.hello().await?,
                "LHLO" if self.script.lmtp => self.hello().await?,
                "BDAT" if self.script.chunking => self.chunk(&line).await?,
                "STARTTLS" if self.script.starttls.is_some() => self.starttls().await?,
                "AUTH" if self.script.login.is_some() => self.auth(&line).await?,
                "MAIL" if self.script.login.is_some() && !self.authenticated => self.say("530 5.7.0 log in").await?,
                "MAIL" => self.mail(&line).await?,
                "RCPT" if self.from.is_empty() => self.say("503 5.5.1 need MAIL").await?,
                "RCPT" => self.recipient(&line).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    (self.from, self.to) = Default::default();
                    self.respond(Said::Reset, "250 2.0.0 Ok").await?;
                }
                "QUIT" => {
                    self.respond(Said::Quit, "221 2.0.0 Bye").await?;
                    return Ok(());
                }
                _ => self.say("502 5.5.2 what?").await?,
            }
        }
    }

    async fn hello(&mut self) -> Result<(), Over> {
        let mut offers = vec!["peer.example".to_owned(), "SIZE 10000000".to_owned()];
        if self.script.pipelining {
            offers.push("PIPELINING".to_owned());
        }
        if self.script.chunking {
            offers.push("CHUNKING".to_owned());
        }
        if self.script.starttls.is_some() && !self.encrypted {
            offers.push("STARTTLS".to_owned());
        }
        if let Some((mechanisms, ..)) = &self.script.login {
            offers.push(format!("AUTH {mechanisms}"));
        }
        let last = offers.pop().unwrap();
        let lines: String = offers.iter().map(|offer| format!("250-{offer}\r\n")).collect();
        self.respond(Said::Hello, &format!("{lines}250 {last}")).await.map(drop)
    }

    async fn starttls(&mut self) -> Result<(), Over> {
        if !self.respond(Said::Starttls, "220 2.0.0 go ahead").await? {
            return Ok(());
        }
        let acceptor = self.script.starttls.clone().unwrap();
        let (nothing, _) = tokio::io::duplex(1);
        let plain = std::mem::replace(&mut self.stream, BufStream::new(Box::new(nothing))).into_inner();
        let tls = acceptor.accept(plain).await.map_err(|_| Over)?;
        self.stream = BufStream::new(Box::new(tls));
        self.encrypted = true;
        Ok(())
    }

    /// PLAIN with its initial response, or LOGIN.
    async fn auth(&mut self, line: &str) -> Result<(), Over> {
        let (_, user, password) = self.script.login.clone().unwrap();
        let right = match line.split(' ').collect::<Vec<_>>().as_slice() {
            [_, "PLAIN", response] => unbase64(response) == format!("\0{user}\0{password}"),
            [_, "XOAUTH2", response] => {
                let right = unbase64(response) == format!("user={user}\u{1}auth=Bearer {password}\u{1}\u{1}");
                if !right {
                    self.say("334 eyJzdGF0dXMiOiI0MDEifQ==").await?;
                    assert_eq!(self.line().await?, "");
                }
                right
            }
            [_, "LOGIN"] => {
                self.say("334 VXNlcm5hbWU6").await?;
                let given = unbase64(&self.line().await?);
                self.say("334 UGFzc3dvcmQ6").await?;
                given == user && unbase64(&self.line().await?) == password
            }
            _ => false,
        };
        self.authenticated = right;
        let answer = if right { "235 2.7.0 welcome" } else { "535 5.7.8 wrong user or password" };
        self.respond(Said::Auth, answer).await.map(drop)
    }

    async fn mail(&mut self, line: &str) -> Result<(), Over> {
        let from = bracketed(line);
        if self.respond(Said::Mail, "250 2.1.0 Ok").await? {
            self.from = from;
        }
        Ok(())
    }

    async fn recipient(&mut self, line: &str) -> Result<(), Over> {
        let before = std::mem::replace(&mut self.to, bracketed(line));
        if !self.respond(Said::Recipient, "250 2.1.5 Ok").await? {
            self.to = before;
        }
        Ok(())
    }

    /// BDAT with all of a content (RFC 3030).
    async fn chunk(&mut self, line: &str) -> Result<(), Over> {
        let size = line.strip_prefix("BDAT ").and_then(|rest| rest.strip_suffix(" LAST")).unwrap();
        let mut bytes = vec![0; size.parse().unwrap()];
        self.stream.read_exact(&mut bytes).await.map_err(|_| Over)?;
        if self.to.is_empty() {
            return self.say("503 5.5.1 no valid recipients").await;
        }
        self.content(bytes).await
    }

    async fn data(&mut self) -> Result<(), Over> {
        let answer = if self.to.is_empty() { "554 5.5.1 no valid recipients" } else { "354 go on" };
        if !self.respond(Said::Data, answer).await? {
            return Ok(());
        }
        let mut bytes = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).await.map_err(|_| Over)? == 0 {
                return Err(Over);
            }
            if line == b".\r\n" {
                break;
            }
            bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        self.content(bytes).await
    }

    async fn content(&mut self, bytes: Vec<u8>) -> Result<(), Over> {
        let message = Committed { connection: self.connection, from: self.from.clone(), to: self.to.clone(), bytes };
        let action = self.action(Said::Content);
        let acted = self.act(action, "250 2.0.0 queued", Some(message), Some(Said::Content)).await;
        (self.from, self.to) = Default::default();
        acted?;
        Ok(())
    }

    /// Answers by the script, else with `willing`; whether it was a positive answer.
    async fn respond(&mut self, said: Said, willing: &str) -> Result<bool, Over> {
        let action = self.action(said);
        let judged = matches!(said, Said::Recipient | Said::Data).then_some(said);
        self.act(action, willing, None, judged).await
    }

    fn action(&self, said: Said) -> Action {
        let time = {
            let mut record = self.record.lock().unwrap();
            let time = record.times.entry((said, self.to.clone())).or_default();
            *time += 1;
            *time
        };
        let (from, to) = (self.from.clone(), self.to.clone());
        let open = self.record.lock().unwrap().open;
        let event = Event { said, connection: self.connection, from, to, open, time };
        self.script.rules.iter().find_map(|rule| rule(&event)).unwrap_or(Action::Willing)
    }

    async fn act(
        &mut self,
        action: Action,
        willing: &str,
        content: Option<Committed>,
        judged: Option<Said>,
    ) -> Result<bool, Over> {
        match action {
            Action::Hang => std::future::pending().await,
            Action::Drop => {
                self.judge(judged, None, None);
                Err(Over)
            }
            Action::After(wait, then) => {
                tokio::time::sleep(wait).await;
                Box::pin(self.act(*then, willing, content, judged)).await
            }
            Action::CommitAndDrop => {
                self.judge(judged, None, content);
                Err(Over)
            }
            Action::CommitAndReset => {
                self.judge(judged, None, content);
                if let Some(twin) = self.twin.take() {
                    twin.set_zero_linger().unwrap();
                }
                Err(Over)
            }
            Action::CommitAndWait(span) => {
                self.judge(judged, code(willing), content);
                tokio::time::sleep(span).await;
                self.finish(willing).await
            }
            Action::Trickle(pause) => {
                self.judge(judged, code(willing), content);
                let (last, rest) = willing.as_bytes().split_last().unwrap();
                for byte in rest {
                    self.stream.write_all(&[*byte]).await.map_err(|_| Over)?;
                    self.stream.flush().await.map_err(|_| Over)?;
                    tokio::time::sleep(pause).await;
                }
                self.finish(&char::from(*last).to_string()).await.map(|_| true)
            }
            Action::Willing => {
                self.judge(judged, code(willing), content);
                self.finish(willing).await
            }
            Action::Reply(text) => {
                let content = content.filter(|_| text.starts_with('2'));
                self.judge(judged, code(&text), content);
                self.finish(&text).await
            }
        }
    }

    /// Commits, and notes a verdict, before anything is answered.
    fn judge(&mut self, said: Option<Said>, code: Option<u16>, content: Option<Committed>) {
        let mut record = self.record.lock().unwrap();
        let refused = code.is_none_or(|code| code >= 400);
        if let Some(said) = said.filter(|said| *said == Said::Content || refused) {
            record.verdicts.push(Verdict { said, to: self.to.clone(), code, committed: content.is_some() });
        }
        record.committed.extend(content);
    }

    async fn finish(&mut self, reply: &str) -> Result<bool, Over> {
        self.say(reply).await?;
        if reply.starts_with("421") { Err(Over) } else { Ok(reply.starts_with(['2', '3'])) }
    }

    async fn say(&mut self, reply: &str) -> Result<(), Over> {
        // In Latin-1, as old relays do: `\u{e9}` is one byte.
        let bytes: Vec<u8> = format!("{reply}\r\n").chars().map(|c| u8::try_from(c).unwrap()).collect();
        self.stream.write_all(&bytes).await.map_err(|_| Over)?;
        self.stream.flush().await.map_err(|_| Over)
    }

    async fn line(&mut self) -> Result<String, Over> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await.map_err(|_| Over)? == 0 {
            return Err(Over);
        }
        let line = line.trim_end().to_owned();
        let mut record = self.record.lock().unwrap();
        record.lines.push(line.clone());
        if !self.encrypted {
            record.clear.push(line.clone());
        }
        Ok(line)
    }
}

/// Two handles of one socket.
fn twins(tcp: TcpStream) -> (TcpStream, TcpStream) {
    let one = tcp.into_std().unwrap();
    let two = one.try_clone().unwrap();
    (TcpStream::from_std(one).unwrap(), TcpStream::from_std(two).unwrap())
}

fn code(reply: &str) -> Option<u16> {
    reply.get(..3).and_then(|code| code.parse().ok())
}

fn bracketed(line: &str) -> String {
    line.split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map(|(inner, _)| inner.to_owned())
        .unwrap_or_default()
}

fn unbase64(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String =
        text.trim_end_matches('=').chars().map(|c| format!("{:06b}", ALPHABET.find(c).unwrap())).collect();
    let bytes =
        bits.as_bytes().chunks_exact(8).map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}
