//! The client of a node's admin interface.

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::address;
use super::exit::{Exit, Failure};
use crate::env::{DialLimits, Names, dial};

/// Which node to ask.
#[derive(Debug, Args)]
pub(super) struct ConsoleArgs {
    /// Console of the node, host:port
    #[arg(long, value_name = "ADDRESS", env = "QUORATE_CONSOLE", default_value = "127.0.0.1:8161", value_parser = address::console)]
    console: String,
}

/// No answer is larger, and no larger one is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long the console's name and address may take.
const DIAL_LIMITS: DialLimits =
    DialLimits { look_up: Duration::from_secs(30), connect: Duration::from_secs(5) };
/// A node that does not answer for so long is as good as gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

impl ConsoleArgs {
    /// Asks for a document; `None` if there is no such thing there.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let (code, body) = self.ask(Method::GET, path).await?;
        match code {
            StatusCode::OK => {
                let parsed = serde_json::from_slice(&body);
                Ok(Some(parsed.with_context(|| format!("{} speaks no quorate", self.address()))?))
            }
            StatusCode::NOT_FOUND => Ok(None),
            code => Err(refused(code, &body)),
        }
    }

    /// Asks for a change.
    pub(super) async fn post(&self, path: &str) -> Result<(), Failure> {
        let (code, body) = self.ask(Method::POST, path).await?;
        if code.is_success() { Ok(()) } else { Err(refused(code, &body)) }
    }

    async fn ask(&self, method: Method, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        let unreachable = |error: anyhow::Error| {
            let error = error.context(format!("cannot reach the node at {}", self.address()));
            Failure::new(Exit::Unreachable, error)
        };
        let dialled = dial(&Names::default(), self.address(), DIAL_LIMITS).await;
        let socket = dialled.map_err(|error| unreachable(error.into()))?;
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.exchange(socket, method, path));
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(unreachable(error)),
            Err(_) => {
                let seconds = ANSWER_WITHIN.as_secs();
                let error = anyhow!("the node at {} does not answer within {seconds} s", self.address());
                Err(Failure::new(Exit::Unreachable, error))
            }
        }
    }

    async fn exchange(
        &self,
        socket: TcpStream,
        method: Method,
        path: &str,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let address = self.address();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", address)
            .header("x-quorate", "1")
            .body(Empty::<Bytes>::new())?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let code = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| anyhow!("the answer breaks off: {error}"))?;
            anyhow::Ok((code, body.to_bytes()))
        };
        tokio::pin!(connection);
        tokio::select! {
            answer = exchange => answer,
            // Ends before the answer only if the connection broke.
            ended = &mut connection => match ended {
                Ok(()) => Err(anyhow!("the connection was closed")),
                Err(error) => Err(error.into()),
            },
        }
    }

    fn address(&self) -> &str {
        let address = self.console.strip_prefix("http://").unwrap_or(&self.console);
        address.strip_suffix('/').unwrap_or(address)
    }
}

fn refused(code: StatusCode, body: &[u8]) -> Failure {
    let told: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    match told.as_ref().and_then(|value| value["error"].as_str()) {
        Some(error) => anyhow!("{error}").into(),
        None => anyhow!("the node answers {code}").into(),
    }
}
