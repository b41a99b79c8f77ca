//! One request and its answer on a stream. No more of the answer is read than is looked at.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::connect::Stream;
use crate::websub::Reply;

/// From the first byte of the request to the last that is read. A feed of half a megabyte needs 400 kbit/s.
const DEADLINE: Duration = Duration::from_secs(15);

/// The longest head of an answer.
const HEAD: usize = 16 * 1024;

/// The longest body that can be the challenge, and more: what is cut off here is not equal to it.
const BODY: usize = 256;

/// Sends a request; `read` says whether the body of the answer matters.
pub(super) async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>, read: bool) -> Reply {
    match tokio::time::timeout(DEADLINE, exchanged(stream, request, read)).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => Reply::Unreachable(format!("it does not answer as HTTP has it: {error}")),
        Err(_) => Reply::Unreachable(format!("it does not answer within {} s", DEADLINE.as_secs())),
    }
}

async fn exchanged(stream: Box<dyn Stream>, request: Request<Full<Bytes>>, read: bool) -> Result<Reply, hyper::Error> {
    let (mut sender, connection) = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = if read { beginning(response.into_body()).await? } else { Vec::new() };
        Ok(Reply::Answered { status, body })
    };
    // The connection moves the bytes; its own end is no news, what it leaves behind is read from the answer.
    let driven = async {
        let _ = connection.await;
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! { answer = answer => answer, never = driven => match never {} }
}

async fn beginning(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            bytes.extend_from_slice(data.get(..data.len().min(BODY)).unwrap_or_default());
        }
        if bytes.len() > BODY {
            break;
        }
    }
    Ok(bytes)
}
