//! How a node's console is asked, and what gives the right to change something.

use std::cell::OnceCell;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::admin::{TOKEN_FILE, Token};
use crate::broker::{PAGE_ENTRIES_MAX, Page};
use crate::cli::address;
use crate::cli::exit::{Exit, Failure};
use crate::env::{DialLimits, Names, dial};

/// Which node to ask.
#[derive(Debug, Args)]
pub(in crate::cli) struct ConsoleArgs {
    /// Console of the node, host:port
    #[arg(long, value_name = "ADDRESS", env = "QUORATE_CONSOLE", default_value = "127.0.0.1:8161", value_parser = address::console)]
    console: String,
    /// File with the console's token; without it the token is QUORATE_CONSOLE_TOKEN, or what a node on this host has left
    /// in its store's directory
    #[arg(long, value_name = "FILE", env = "QUORATE_CONSOLE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The token, once it was wanted.
    #[arg(skip)]
    found: OnceCell<Result<Token, String>>,
}

/// The variable that holds the token: the same as for the node's `console.token`.
const TOKEN_VARIABLE: &str = "QUORATE_CONSOLE_TOKEN";

/// No answer is larger, and no larger one is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long the console's name and address may take.
const DIAL_LIMITS: DialLimits =
    DialLimits { look_up: Duration::from_secs(30), connect: Duration::from_secs(5) };
/// A node that does not answer for so long is as good as gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

impl ConsoleArgs {
    /// Asks for a document; `None` if there is no such thing there. Where the node asks for a login, the token is shown.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let known = self.found.get().and_then(|found| found.as_ref().ok());
        let (mut code, mut body) = self.ask(with_token(Request::get(path), known)?, Bytes::new()).await?;
        if code == StatusCode::UNAUTHORIZED && known.is_none() {
            let token = self.token().await.as_ref().map_err(|error| anyhow!("{error}"));
            let token = token.context("the node shows nothing without a login, or the console's token")?;
            (code, body) = self.ask(with_token(Request::get(path), Some(token))?, Bytes::new()).await?;
        }
        match code {
            StatusCode::OK => {
                let parsed = serde_json::from_slice(&body);
                Ok(Some(parsed.with_context(|| format!("{} speaks no quorate", self.address()))?))
            }
            StatusCode::NOT_FOUND => Ok(None),
            code => Err(refused(code, &body)),
        }
    }

    /// Asks for a list page by page, and hands on each as it comes.
    pub(super) async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        mut take: impl FnMut(&[T]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut next = Some(format!("{path}?limit={PAGE_ENTRIES_MAX}"));
        while let Some(path) = next {
            let Some(page) = self.get::<Page<T>>(&path).await? else { return Ok(()) };
            take(&page.items)?;
            next = page.next;
        }
        Ok(())
    }

    async fn ask(
        &self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let unreachable = |error: anyhow::Error| {
            let error = error.context(format!("cannot reach the node at {}", self.address()));
            Failure::new(Exit::Unreachable, error)
        };
        let dialled = dial(&Names::default(), self.address(), DIAL_LIMITS).await;
        let socket = dialled.map_err(|error| unreachable(error.into()))?;
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.exchange(socket, request, body));
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
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let address = self.address();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        let request = request.header(HOST, address).body(Full::new(body))?;
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

    /// Whether the node is on this host: nobody else is told what is in its files.
    fn is_local(&self) -> bool {
        let host = self.address().rsplit_once(':').map_or(self.address(), |(host, _)| host);
        let host = host.trim_matches(['[', ']']);
        host.parse::<IpAddr>().map_or(host == "localhost", |ip| ip.to_canonical().is_loopback())
    }

    /// Asks for a change, with `body` as JSON.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Bytes, Failure> {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        self.change(request, serde_json::to_vec(body)?.into()).await
    }

    /// Asks for something to be deleted.
    pub(super) async fn delete(&self, path: &str) -> Result<Bytes, Failure> {
        self.change(Request::delete(path), Bytes::new()).await
    }

    async fn change(&self, request: hyper::http::request::Builder, body: Bytes) -> Result<Bytes, Failure> {
        let token = self.token().await;
        let request = with_token(request, token.as_ref().ok())?;
        let (code, body) = self.ask(request, body).await?;
        match token {
            _ if code.is_success() => Ok(body),
            // The node refuses first what cannot be done whoever asks.
            Err(error) if code == StatusCode::UNAUTHORIZED => {
                Err(anyhow!("{error}").context("a change needs the console's token").into())
            }
            _ => Err(refused(code, &body)),
        }
    }

    /// The token, or why there is none.
    async fn token(&self) -> &Result<Token, String> {
        if let Some(found) = self.found.get() {
            return found;
        }
        let found = self.find_token().await.map_err(|error| format!("{error:#}"));
        self.found.get_or_init(|| found)
    }

    async fn find_token(&self) -> anyhow::Result<Token> {
        if let Some(path) = &self.token_file {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            return Ok(Token::given(text.trim_end_matches(['\r', '\n'])));
        }
        if let Ok(token) = std::env::var(TOKEN_VARIABLE) {
            return Ok(Token::given(&token));
        }
        if !self.is_local() {
            return Err(anyhow!("give it with --token-file or {TOKEN_VARIABLE}"));
        }
        // To this host the node tells without a login where the token is.
        let (_, body) =
            self.ask(Request::get("/health/role"), Bytes::new()).await.map_err(|failure| failure.error)?;
        let told: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let directory = told.as_ref().and_then(|told| told["store_path"].as_str());
        let directory = directory.filter(|path| !path.is_empty());
        let directory = directory.ok_or_else(|| anyhow!("the node has no directory with a token in it"))?;
        let path = Path::new(directory).join(TOKEN_FILE);
        Token::left_in(Path::new(directory)).with_context(|| {
            format!(
                "cannot read {}: run this as the broker's user, or give --token-file or {TOKEN_VARIABLE}",
                path.display()
            )
        })
    }
}

/// The request with the token, if there is one.
fn with_token(
    request: hyper::http::request::Builder,
    token: Option<&Token>,
) -> anyhow::Result<hyper::http::request::Builder> {
    let Some(token) = token else { return Ok(request) };
    let value = HeaderValue::from_bytes(format!("Bearer {}", token.expose()).as_bytes());
    Ok(request.header(AUTHORIZATION, value.context("the token holds what no header may hold")?))
}

fn refused(code: StatusCode, body: &[u8]) -> Failure {
    let told: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    match told.as_ref().and_then(|value| value["error"].as_str()) {
        Some(error) => anyhow!("{error}").into(),
        None => anyhow!("the node answers {code}").into(),
    }
}
