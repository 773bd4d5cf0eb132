//! Who is let in how far, over a real socket.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{ConsoleRole, Roles, Token};
use crate::admin::AdminOptions;
use crate::admin::tests::{Console, ask, console_with, exchange, figures, options};
use crate::broker::Figures;
use crate::config::Console as Configured;
use crate::model::DestinationKind;
use crate::security::{Hash, Logins, Rights, User, Users};

/// Three users, each of a group with a role, and one whose group has none; their passwords are their names backwards.
pub(in crate::admin) fn with_users() -> AdminOptions {
    let user = |name: &str, group: &str| {
        let password: String = name.chars().rev().collect();
        let hash = Some(Hash::parse(&password, true).unwrap());
        User { name: name.to_owned(), hash, certificate: None, groups: vec![group.to_owned()] }
    };
    let users =
        [user("vera", "viewers"), user("otto", "operators"), user("anna", "admins"), user("nick", "others")];
    let configured = Configured {
        bind: ([127, 0, 0, 1], 0).into(),
        hosts: Vec::new(),
        token: None,
        view: vec!["viewers".to_owned()],
        operate: vec!["operators".to_owned()],
        administer: vec!["admins".to_owned()],
    };
    AdminOptions {
        logins: Arc::new(Logins::new(Users::new(&users, &Rights::default()))),
        asks: true,
        roles: Roles::of(&configured),
        ..options(Some(Token::given("sesame, open")))
    }
}

async fn console() -> Console {
    console_with(with_users(), figures(DestinationKind::Queue, &["Q"])).await
}

fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Head and body of the answer to a request with these headers.
pub(in crate::admin) async fn get(console: &Console, path: &str, headers: &str) -> (u16, String, String) {
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    split(exchange(console, &request).await)
}

/// The same for a form.
pub(in crate::admin) async fn fill(
    console: &Console,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String, String) {
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    split(exchange(console, &request).await)
}

fn split((head, body): (String, String)) -> (u16, String, String) {
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
}

/// Logs in by the form; returns the cookie's header.
pub(in crate::admin) async fn log_in(console: &Console, user: &str, password: &str) -> Option<String> {
    let body = format!("user={user}&password={password}&to=%2Fadmin%2Fqueues");
    let (code, head, _) = fill(console, "/login", "Origin: http://localhost", &body).await;
    let head = head.to_lowercase();
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: "))?;
    assert!(code == 303 && head.contains("location: /admin/queues"), "{head}");
    assert!(cookie.contains("; httponly") && cookie.contains("; samesite=strict"), "{cookie}");
    Some(format!("Cookie: other=1; {}", cookie.split(';').next().unwrap()))
}

#[tokio::test]
async fn where_there_are_users_nothing_but_health_is_shown_without_a_login() {
    let console = console().await;
    for path in
        ["/health/live", "/health/ready", "/health/role", "/login", "/admin/style.css", "/admin/live.js"]
    {
        let (code, ..) = get(&console, path, "").await;
        assert!(code == 200 || (code == 503 && path == "/health/ready"), "{path}: {code}");
    }
    for path in ["/", "/admin/", "/admin/queues", "/admin/message?queue=Q&id=1", "/admin/nothing"] {
        let (code, head, body) = get(&console, path, "").await;
        assert!(code == 303 && body.is_empty(), "{path}: {code}");
        assert!(head.to_lowercase().contains("location: /login?to=%2f"), "{head}");
    }
    for path in [
        "/api/v1/broker",
        "/api/v1/queues",
        "/api/v1/queues/Q/messages",
        "/api/v1/openapi.json",
        "/metrics",
        "/api/jolokia/version",
        "/admin/xml/queues.jsp",
        "/api/nothing",
    ] {
        for headers in ["", "Authorization: Bearer guess", "Authorization: Nonsense", "Cookie: quorate-1=x"] {
            let (code, head, body) = get(&console, path, headers).await;
            assert!(code == 401 && !body.contains("\"Q\""), "{path} {headers}: {code}");
            assert!(head.contains("Basic realm="), "{head}");
        }
        let (code, head, _) = get(&console, path, "Sec-Fetch-Mode: cors").await;
        assert!(code == 401 && !head.contains("Basic realm="), "a browser would ask for a password: {head}");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn users_the_token_and_sessions_see_what_their_roles_allow() {
    let console = console().await;
    let cookie = log_in(&console, "vera", "arev").await.unwrap();
    for headers in
        [&basic("vera", "arev"), "Authorization: Bearer sesame, open", &cookie, &basic("", "sesame, open")]
    {
        for path in ["/api/v1/queues", "/admin/queues", "/metrics", "/admin/xml/queues.jsp"] {
            assert_eq!(get(&console, path, headers).await.0, 200, "{headers} {path}");
        }
    }
    for (user, password) in [("vera", "vera"), ("nobody", "ydobon"), ("", "guess"), ("vera", "sesame, open")]
    {
        let (code, ..) = get(&console, "/api/v1/queues", &basic(user, password)).await;
        assert_eq!(code, 401, "{user} {password}");
    }
    let (code, _, body) = get(&console, "/api/v1/queues", &basic("nick", "kcin")).await;
    assert!(code == 403 && body.contains("no group of"), "{code} {body}");
    console.admin.stop().await;
}

#[tokio::test]
async fn each_change_needs_its_role() {
    let console = console().await;
    let change = async |path: &str, headers: &str, body: &str| {
        crate::admin::tests::post(&console, path, headers, body).await.0
    };
    let purge = "/api/v1/queues/Q/purge";
    let send = "/api/v1/queues/Q/messages";
    for (user, password, roles) in [("vera", "arev", 0), ("otto", "otto", 1), ("anna", "anna", 2)] {
        let login = basic(user, password);
        // Nobody serves here: who is let through hears that.
        let operated = if roles >= 1 { 409 } else { 403 };
        assert_eq!(change(purge, &login, "").await, operated, "{user}");
        assert_eq!(change(send, &login, "{}").await, operated, "{user}");
        let remove = r#"{"client_id": "a", "name": "b"}"#;
        assert_eq!(change("/api/v1/subscriptions/remove", &login, remove).await, operated, "{user}");
        let recovered = if roles >= 2 { 422 } else { 403 };
        assert_eq!(change("/api/v1/group/recover", &login, "{}").await, recovered, "{user}");
    }
    let cookie = log_in(&console, "anna", "anna").await.unwrap();
    for path in [purge, send, "/api/v1/group/recover"] {
        assert_eq!(change(path, &cookie, "{}").await, 401, "a cookie comes along with every page's request");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn a_password_that_a_browser_sends_along_changes_nothing_for_other_pages() {
    let console = console().await;
    for (more, code) in [
        ("Origin: http://localhost", 409),
        ("Origin: http://localhost:3000", 403),
        ("Sec-Fetch-Site: same-site", 403),
        ("Origin: http://evil.example", 403),
        ("Origin: null", 403),
    ] {
        let headers = format!("{}\r\n{more}", basic("otto", "otto"));
        assert_eq!(fill(&console, "/api/v1/queues/Q/purge", &headers, "").await.0, code, "{more}");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn logins_by_the_form_fail_alike_wait_after_failures_and_come_from_our_page_only() {
    let console = console().await;
    assert!(log_in(&console, "vera", "wrong").await.is_none());
    assert!(log_in(&console, "nobody", "wrong").await.is_none());
    assert!(log_in(&console, "nick", "kcin").await.is_none(), "he has no role");
    let began = std::time::Instant::now();
    assert!(log_in(&console, "vera", "wrong").await.is_none());
    assert!(began.elapsed().as_millis() >= 100, "a failure costs a wait, as with clients");
    for origin in ["http://localhost:3000", "http://evil.example"] {
        let (code, ..) =
            fill(&console, "/login", &format!("Origin: {origin}"), "user=vera&password=arev").await;
        assert_eq!(code, 403, "{origin}");
    }
    let (code, _, body) =
        fill(&console, "/login", "", "user=%3Cscript%3E&password=x&to=//evil.example").await;
    assert!(code == 403 && body.contains("&#60;script&#62;") && !body.contains("<script>"), "{body}");
    assert!(!body.contains("evil.example"), "{body}");
    console.admin.stop().await;
}

#[tokio::test]
async fn logins_that_wait_leave_connections_for_others() {
    let console = console().await;
    let wrong = basic("vera", "wrong");
    let asks = (0..40).map(|_| get(&console, "/api/v1/queues", &wrong));
    let codes: Vec<_> = futures::future::join_all(asks).await.into_iter().map(|(code, ..)| code).collect();
    assert!(codes.contains(&401) && codes.contains(&429), "{codes:?}");
    assert_eq!(get(&console, "/api/v1/queues", &basic("", "sesame, open")).await.0, 200);
    console.admin.stop().await;
}

#[tokio::test]
async fn a_logout_ends_the_session_and_needs_the_forms_token() {
    let console = console().await;
    let cookie = log_in(&console, "vera", "arev").await.unwrap();
    let (_, _, page) = get(&console, "/admin/queues", &cookie).await;
    let form = page.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    for wrong in ["", "form=", "form=0000"] {
        assert_eq!(fill(&console, "/logout", &cookie, wrong).await.0, 403, "{wrong}");
    }
    assert_eq!(get(&console, "/admin/queues", &cookie).await.0, 200);
    assert_eq!(fill(&console, "/logout", &cookie, &format!("form={form}")).await.0, 303);
    assert_eq!(get(&console, "/admin/queues", &cookie).await.0, 303);
    console.admin.stop().await;
}

#[tokio::test]
async fn without_users_figures_are_open_and_messages_and_changes_need_the_token() {
    let console = console_with(options(Some(Token::given("sesame, open"))), Figures::default()).await;
    assert_eq!(ask(&console, "GET /api/v1/queues HTTP/1.1").await.0, 200);
    assert_eq!(ask(&console, "GET /admin/queues HTTP/1.1").await.0, 200);
    let (code, ..) = get(&console, "/api/v1/queues", &basic("admin", "admin")).await;
    assert_eq!(code, 200, "as tools show it that were made for ActiveMQ");
    assert_eq!(ask(&console, "GET /api/v1/queues/Q/messages HTTP/1.1").await.0, 401);
    assert_eq!(ask(&console, "GET /admin/messages?queue=Q HTTP/1.1").await.0, 401);
    assert!(log_in(&console, "", "guess").await.is_none());
    let cookie = log_in(&console, "", "sesame%2C+open").await.unwrap();
    assert_eq!(get(&console, "/admin/messages?queue=Q", &cookie).await.0, 404);
    assert_eq!(get(&console, "/api/v1/queues/Q/messages", &cookie).await.0, 404);
    console.admin.stop().await;
}

#[test]
fn the_highest_role_of_all_groups_counts() {
    let all = Configured {
        bind: ([127, 0, 0, 1], 0).into(),
        hosts: Vec::new(),
        token: None,
        view: vec!["*".to_owned()],
        operate: vec!["b".to_owned()],
        administer: vec!["c".to_owned()],
    };
    let roles = Roles::of(&all);
    let groups = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert_eq!(roles.highest(&groups(&[])), Some(ConsoleRole::View));
    assert_eq!(roles.highest(&groups(&["c", "b"])), Some(ConsoleRole::Administer));
    assert_eq!(roles.highest(&groups(&["a", "b"])), Some(ConsoleRole::Operate));
    assert_eq!(Roles::default().highest(&groups(&["a"])), None);
}
